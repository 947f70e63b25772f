//! `git verdict mcp` through the built binary: the protocol and all that can be wrong in it, calls, approval, cancellation, and
//! the official clients.

use crate::common;

use crate::common::Repo;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, ExitStatus, Stdio};

const CONFIG: &str = "version = 1\n[metrics.size]\npath = \"app\"\n";

/// A client that speaks by hand.
struct Client {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    last: u64,
}

impl Client {
    /// Started, and nothing said yet.
    fn silent(repo: &Repo, variables: &[(&str, &str)]) -> Client {
        // As `&` in a script starts it, which is where what ctrl-C sends is ignored.
        let mut command = common::isolated("sh");
        command.args(["-c", "trap '' INT; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_git-verdict")]);
        command.args(["-C", repo.path().to_str().unwrap(), "mcp"]).envs(variables.iter().copied());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Client { child, input, output, last: 0 }
    }

    /// Initialized, with these capabilities.
    fn with(repo: &Repo, capabilities: Value) -> Client {
        Client::set(repo, capabilities, &[])
    }

    fn set(repo: &Repo, capabilities: Value, variables: &[(&str, &str)]) -> Client {
        let mut client = Client::silent(repo, variables);
        let about = json!({"name": "test", "version": "1"});
        let params = json!({"protocolVersion": "2025-06-18", "capabilities": capabilities, "clientInfo": about});
        let answer = client.ask("initialize", params);
        assert_eq!(answer["result"]["protocolVersion"], "2025-06-18");
        client.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        client
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.input.as_mut().unwrap().write_all(bytes).unwrap();
    }

    fn send(&mut self, message: &Value) {
        self.raw(format!("{message}\n").as_bytes());
    }

    /// The next message; every object of ours in it is as its schema says.
    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let message: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(message["jsonrpc"], "2.0");
        let object = &message["result"]["structuredContent"];
        if object.is_object() {
            assert_eq!(common::schemas::hold("mcp", &object.to_string()).len(), 1);
        }
        message
    }

    fn begin(&mut self, method: &str, params: Value) -> u64 {
        self.last += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": self.last, "method": method, "params": params}));
        self.last
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin(method, params);
        let answer = self.next();
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.ask("tools/call", json!({"name": tool, "arguments": arguments}))["result"].clone()
    }

    /// Calls a tool that asks a person, who answers this.
    fn call_and_answer(&mut self, tool: &str, arguments: Value, answer: Value) -> Value {
        let id = self.begin("tools/call", json!({"name": tool, "arguments": arguments}));
        let question = self.next();
        assert_eq!(question["method"], "elicitation/create", "{question}");
        self.send(&json!({"jsonrpc": "2.0", "id": question["id"], "result": answer}));
        let answer = self.next();
        assert_eq!(answer["id"], id);
        answer["result"].clone()
    }

    #[track_caller]
    fn refused(&mut self, line: &[u8], code: i64) -> Value {
        self.raw(line);
        self.raw(b"\n");
        let answer = self.next();
        assert_eq!(answer["error"]["code"], code, "{answer}");
        answer["id"].clone()
    }

    fn close(mut self) -> (ExitStatus, Vec<Value>) {
        self.input = None;
        let rest: Vec<String> = self.output.by_ref().lines().map(Result::unwrap).collect();
        let rest = rest.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        (self.child.wait().unwrap(), rest)
    }
}

fn app() -> Repo {
    Repo::with(&[("verdict.toml", CONFIG), ("app", &"x".repeat(4000))])
}

/// An experiment that made the app smaller, measured.
fn measured() -> Repo {
    let repo = app();
    repo.ok(&["start", "slim", "--hypothesis", "smaller"]);
    repo.write("app", "x".repeat(1000));
    repo.commit("perf: a quarter");
    repo.ok(&["measure"]);
    repo
}

fn asking() -> Value {
    json!({"elicitation": {}})
}

fn yes() -> Value {
    json!({"action": "accept", "content": {"land": true}})
}

fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap()
}

#[test]
fn versions_are_agreed_on_and_what_comes_before_or_twice_is_refused() {
    let repo = app();
    for (asked, got) in [
        ("2025-11-25", "2025-11-25"),
        ("2025-06-18", "2025-06-18"),
        ("2024-11-05", "2024-11-05"),
        ("1999-01-01", "2025-11-25"),
    ] {
        let mut client = Client::silent(&repo, &[]);
        assert_eq!(client.ask("tools/list", json!({}))["error"]["code"], -32600);
        assert_eq!(client.ask("ping", json!({}))["result"], json!({}));
        assert_eq!(client.ask("initialize", json!({}))["error"]["code"], -32602);
        let answer = client.ask("initialize", json!({"protocolVersion": asked, "capabilities": {}}));
        assert_eq!(answer["result"]["protocolVersion"], got);
        assert_eq!(answer["result"]["serverInfo"]["name"], "git-verdict");
        assert_eq!(client.ask("initialize", json!({"protocolVersion": asked}))["error"]["code"], -32600);
        let (status, rest) = client.close();
        assert!(status.success() && rest.is_empty());
    }
}

#[test]
fn what_is_malformed_oversized_or_out_of_order_is_refused_and_the_connection_goes_on() {
    let repo = app();
    let mut client = Client::with(&repo, json!({}));
    assert_eq!(client.refused(b"{\"jsonrpc\"", -32700), Value::Null);
    assert_eq!(client.refused(b"\xff\xfe", -32700), Value::Null);
    assert_eq!(client.refused(&[b'['; 100_000], -32700), Value::Null);
    assert_eq!(client.refused(br#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, -32600), Value::Null);
    assert_eq!(client.refused(br#"{"jsonrpc":"1.0","id":7,"method":"ping"}"#, -32600), 7);
    assert_eq!(client.refused(br#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32600), Value::Null);
    assert_eq!(client.refused(br#"{"jsonrpc":"2.0","id":"a"}"#, -32600), "a");
    assert_eq!(client.refused(br#"{"jsonrpc":"2.0","id":8,"method":"no/such"}"#, -32601), 8);
    assert_eq!(client.refused(br#"{"jsonrpc":"2.0","id":9,"method":"tools/call","params":[]}"#, -32602), 9);
    assert_eq!(client.refused(br#"{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"rm"}}"#, -32602), 9);
    assert_eq!(client.refused(br#"{"jsonrpc":"2.0","id":9,"method":"tools/list","params":{"cursor":"x"}}"#, -32602), 9);
    let uri = br#"{"jsonrpc":"2.0","id":9,"method":"resources/read","params":{"uri":"file:///etc/passwd"}}"#;
    assert_eq!(client.refused(uri, -32002), 9);
    let mut long = br#"{"jsonrpc":"2.0","id":10,"method":"ping","params":{"x":""#.to_vec();
    long.resize(5 << 20, b'x');
    assert_eq!(client.refused(&long, -32600), Value::Null);
    // Answers to nothing, notifications that are not known, empty lines: none of them has an answer.
    client.raw(b"\n  \n{\"jsonrpc\":\"2.0\",\"id\":\"approve-1\",\"result\":{\"action\":\"accept\",\"content\":{\"land\":true}}}\n");
    client.raw(b"{\"jsonrpc\":\"2.0\",\"method\":\"no/such\"}\n");
    client.raw(b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":99}}\n");
    assert_eq!(client.ask("ping", json!({}))["result"], json!({}));
    client.raw(b"{\"jsonrpc\":\"2.0\",\"id\":11,\"meth");
    let (status, rest) = client.close();
    assert!(status.success());
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0]["error"]["code"], -32700);
}

#[test]
fn arguments_that_are_wrong_are_told_to_the_model_and_never_become_options() {
    let repo = measured();
    let mut client = Client::with(&repo, json!({}));
    let before = repo.snapshot();
    for (tool, arguments, told) in [
        ("keep", json!({"because": "x", "force": true}), "keep has no parameter \"force\""),
        ("keep", json!({}), "keep needs because"),
        ("measure", json!({"metric": "size"}), "measure has no parameter"),
        ("show", json!({"name": "--help"}), "--help"),
        ("inspect", json!({"target": "/etc"}), "only files in the repository"),
        ("show", json!({"name": "nothing"}), "exit"),
    ] {
        let result = client.call(tool, arguments);
        assert_eq!(result["isError"], true, "{tool}: {result}");
        assert!(text(&result).contains(told), "{tool}: {result}");
    }
    client.close();
    assert_eq!(before, repo.snapshot());
}

#[test]
fn tools_tell_what_they_take_and_answer_as_their_schema_says() {
    let repo = measured();
    let mut client = Client::with(&repo, json!({}));
    let told = client.ask("tools/list", json!({}))["result"].clone();
    let tools = told["tools"].as_array().unwrap();
    for tool in tools {
        assert!(jsonschema::validator_for(&tool["inputSchema"]).is_ok(), "{tool}");
        assert_eq!(tool["inputSchema"]["additionalProperties"], false);
    }
    let arguments = |name: &str| match name {
        "show" => json!({"name": "slim"}),
        "keep" | "revert" => json!({"because": "enough", "dry_run": true}),
        "inspect" => json!({"target": "."}),
        "check" => json!({"against": "main"}),
        _ => json!({}),
    };
    for tool in tools {
        let name = tool["name"].as_str().unwrap();
        if ["start", "abandon", "undo"].contains(&name) {
            continue;
        }
        let result = client.call(name, arguments(name));
        assert_eq!(result["isError"], false, "{name}: {result}");
        let object: Value = serde_json::from_str(text(&result)).unwrap();
        assert_eq!(object, result["structuredContent"], "{name}");
        if let Some(schema) = tool.get("outputSchema") {
            assert!(jsonschema::is_valid(schema, &object), "{name}: {object}");
        }
    }
    for uri in ["verdict://log", "verdict://status", "verdict://show/slim"] {
        let answer = client.ask("resources/read", json!({"uri": uri}));
        let object = answer["result"]["contents"][0]["text"].as_str().unwrap();
        assert_eq!(common::schemas::hold(uri, object).len(), 1);
    }
    assert_eq!(client.ask("resources/list", json!({}))["result"]["resources"].as_array().unwrap().len(), 2);
    let templates = client.ask("resources/templates/list", json!({}));
    assert_eq!(templates["result"]["resourceTemplates"][0]["uriTemplate"], "verdict://show/{name}");
}

#[test]
fn landing_is_refused_with_the_command_for_a_person_where_nobody_can_be_asked() {
    let repo = measured();
    let before = repo.snapshot();
    // Neither the repository's own settings nor its verdict.toml grant what only the user can.
    repo.git(&["config", "verdict.agentLanding", "allowed"]);
    let mut client = Client::with(&repo, json!({"elicitation": {"url": {}}}));
    let line = format!("git -C {} verdict ", repo.path().display());
    for (tool, arguments, command) in [
        ("keep", json!({"because": "it's enough"}), r"keep '--because=it'\''s enough'"),
        (
            "revert",
            json!({"name": "slim", "because": "no", "mode": "archive"}),
            "revert --because=no --mode=archive -- slim",
        ),
        ("undo", json!({"because": "early"}), "undo --because=early"),
        ("abandon", json!({"name": "slim", "because": "no"}), "abandon --because=no -- slim"),
    ] {
        let result = client.call(tool, arguments);
        assert_eq!(result["isError"], true);
        assert!(text(&result).ends_with(&format!("{line}{command}")), "{}", text(&result));
    }
    client.close();
    assert_eq!(before, repo.snapshot());
    let written = format!("{CONFIG}[agents]\nlanding = \"allowed\"\n");
    repo.write("verdict.toml", written);
    repo.refuses(2, &["measure"]).says(&["agents"]);
}

#[test]
fn the_user_can_allow_landing_and_a_repository_can_take_that_back() {
    let repo = measured();
    let folder = tempfile::tempdir().unwrap();
    let global = folder.path().join("config");
    std::fs::write(&global, "[verdict]\n\tagentLanding = allowed\n").unwrap();
    let variables = [("GIT_CONFIG_GLOBAL", global.to_str().unwrap())];
    repo.git(&["config", "verdict.agentLanding", "ask"]);
    let mut client = Client::set(&repo, json!({}), &variables);
    assert_eq!(client.call("keep", json!({"because": "enough"}))["isError"], true);
    repo.git(&["config", "--unset", "verdict.agentLanding"]);
    let result = client.call("keep", json!({"because": "enough"}));
    assert_eq!(result["structuredContent"]["event"]["verdict"], "keep", "{result}");
    // What comes with the environment of the command counts as little as what is in the repository.
    let commands =
        [("GIT_CONFIG_COUNT", "1"), ("GIT_CONFIG_KEY_0", "verdict.agentLanding"), ("GIT_CONFIG_VALUE_0", "allowed")];
    let mut client = Client::set(&repo, json!({}), &commands);
    assert_eq!(client.call("undo", json!({"because": "early"}))["isError"], true);
}

#[test]
fn an_agent_learns_of_a_hidden_check_its_name_and_no_more() {
    let repo = app();
    let outside = tempfile::tempdir().unwrap();
    let file = outside.path().join("hidden.toml");
    std::fs::write(&file, "version = 1\n[checks]\nreal = 'echo secret; grep -q y app'\n").unwrap();
    let state = outside.path().join("state");
    let variables = [("XDG_STATE_HOME", state.to_str().unwrap())];
    repo.git(&["config", "verdict.hiddenChecks", file.to_str().unwrap()]);
    let mut client = Client::set(&repo, json!({}), &variables);
    client.call("start", json!({"name": "slim", "hypothesis": "smaller"}));
    repo.write("app", "x".repeat(1000));
    repo.commit("perf: a quarter");
    let params = json!({"name": "measure", "arguments": {}, "_meta": {"progressToken": "p"}});
    let id = client.begin("tools/call", params);
    let mut heard = String::new();
    let result = loop {
        let message = client.next();
        heard.push_str(&message.to_string());
        if message["id"] == id {
            break message["result"].clone();
        }
    };
    let reasons = &result["structuredContent"]["measured"]["recommendation"]["reasons"];
    assert_eq!(reasons[0], "a hidden check failed: real", "{result}");
    for (tool, arguments) in [("keep", json!({"because": "x", "dry_run": true})), ("show", json!({"name": "slim"}))] {
        heard.push_str(&client.call(tool, arguments).to_string());
    }
    assert!(heard.contains("a hidden check failed: real"), "{heard}");
    assert!(!heard.contains("secret") && !heard.contains("grep") && !heard.contains("hidden.toml"), "{heard}");
}

#[test]
fn a_person_sees_exactly_what_lands_and_only_a_clear_yes_lands_it() {
    let repo = measured();
    let mut client = Client::with(&repo, asking());
    let before = repo.snapshot();
    for no in [
        json!({"action": "decline"}),
        json!({"action": "cancel"}),
        json!({"action": "accept"}),
        json!({"action": "accept", "content": {"land": false}}),
        json!({"action": "accept", "content": {"land": "true"}}),
        json!("accept"),
    ] {
        let result = client.call_and_answer("keep", json!({"because": "enough"}), no);
        assert_eq!(result["isError"], true);
        assert!(text(&result).contains("did not approve"), "{result}");
    }
    assert_eq!(before, repo.snapshot());

    let id = client.begin("tools/call", json!({"name": "keep", "arguments": {"because": "enough"}}));
    let question = client.next();
    let shown = question["params"]["message"].as_str().unwrap();
    let preview = repo.ok(&["keep", "--because", "enough", "--dry-run"]).stdout;
    let lines = |text: &str| -> Vec<String> {
        let fixed = text.lines().filter(|line| !line.contains("ecord"));
        fixed.map(String::from).collect()
    };
    assert!(lines(shown).ends_with(&lines(&preview)), "{shown}\n---\n{preview}");
    // Others are answered while a person thinks.
    assert_eq!(client.call("status", json!({}))["isError"], false);
    client.send(&json!({"jsonrpc": "2.0", "id": question["id"], "result": yes()}));
    let kept = client.next();
    assert_eq!(kept["id"], id);
    assert_eq!(kept["result"]["structuredContent"]["event"]["verdict"], "keep", "{kept}");
    assert!(repo.git(&["log", "-1", "--format=%B", "main"]).contains("Verdict-Metric: size 4000 B -> 1000 B"));

    let undone = client.call_and_answer("undo", json!({"because": "too early"}), yes());
    assert_eq!(undone["structuredContent"]["schema"], "git-verdict/undo", "{undone}");
    let reverted = client.call_and_answer("revert", json!({"name": "slim", "because": "no use"}), yes());
    assert_eq!(reverted["structuredContent"]["event"]["verdict"], "revert", "{reverted}");
    client.call("start", json!({"name": "idle", "hypothesis": "none"}));
    let abandoned = client.call_and_answer("abandon", json!({"name": "idle", "because": "no time"}), yes());
    assert_eq!(abandoned["structuredContent"]["experiment"], "idle", "{abandoned}");
}

#[test]
fn what_changed_behind_the_back_of_a_person_does_not_land() {
    let repo = measured();
    let mut client = Client::with(&repo, asking());
    client.begin("tools/call", json!({"name": "keep", "arguments": {"because": "enough"}}));
    let question = client.next();
    repo.write("app", "x".repeat(900));
    repo.commit("perf: one more");
    repo.ok(&["measure"]);
    let before = repo.snapshot();
    client.send(&json!({"jsonrpc": "2.0", "id": question["id"], "result": yes()}));
    let answer = client.next();
    assert_eq!(answer["result"]["isError"], true);
    assert!(text(&answer["result"]).contains("has changed since it was shown"), "{answer}");
    assert_eq!(before, repo.snapshot());
}

#[test]
fn a_cancelled_question_is_taken_back_and_a_late_yes_lands_nothing() {
    let repo = measured();
    let before = repo.snapshot();
    let mut client = Client::with(&repo, asking());
    let id = client.begin("tools/call", json!({"name": "keep", "arguments": {"because": "enough"}}));
    let question = client.next();
    client.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}));
    let told = client.next();
    assert_eq!((&told["method"], &told["params"]["requestId"]), (&"notifications/cancelled".into(), &question["id"]));
    client.send(&json!({"jsonrpc": "2.0", "id": question["id"], "result": yes()}));
    assert_eq!(client.ask("ping", json!({}))["result"], json!({}));
    // A client that goes while a person is asked lands nothing either.
    client.begin("tools/call", json!({"name": "keep", "arguments": {"because": "enough"}}));
    client.next();
    assert!(client.close().0.success());
    assert_eq!(before, repo.snapshot());
}

/// An experiment whose one step waits until it is stopped.
fn waiting() -> (Repo, PathBuf) {
    let repo = app();
    let pid = repo.path().join(".git/pid");
    let config = format!(
        "version = 1\n[steps.wait]\nrun = \"echo $$ > {} && exec sleep 600\"\n[metrics.time]\nstep = \"wait\"\n",
        pid.display()
    );
    repo.write("verdict.toml", config);
    repo.commit("chore: a step that waits");
    repo.ok(&["start", "slow", "--hypothesis", "none"]);
    repo.write("app", "y");
    repo.commit("perf: another");
    (repo, pid)
}

/// Waits until the step runs; the id of its process.
fn running(pid: &Path) -> String {
    loop {
        match std::fs::read_to_string(pid) {
            Ok(text) if text.ends_with('\n') => return text.trim().to_string(),
            _ => std::thread::sleep(std::time::Duration::from_millis(20)),
        }
    }
}

#[test]
fn a_cancelled_measurement_stops_with_all_that_it_started_and_is_not_answered() {
    let (repo, file) = waiting();
    let mut client = Client::with(&repo, json!({}));
    let id = client.begin("tools/call", json!({"name": "measure", "arguments": {}}));
    let pid = running(&file);
    let again = client.refused(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#).as_bytes(), -32600);
    assert_eq!(again, id);
    assert_eq!(client.call("status", json!({}))["isError"], false);
    client.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}));
    while Path::new("/proc").join(&pid).exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let (status, rest) = client.close();
    assert!(status.success() && rest.is_empty(), "{rest:?}");
    assert!(!repo.git(&["worktree", "list"]).is_empty());
}

#[test]
fn a_client_that_goes_and_a_signal_stop_a_measurement() {
    for signal in [false, true] {
        let (repo, file) = waiting();
        let mut client = Client::with(&repo, json!({}));
        client.begin("tools/call", json!({"name": "measure", "arguments": {}}));
        let pid = running(&file);
        if signal {
            repo.run_in(repo.path(), "kill", &["-TERM", &client.child.id().to_string()], None);
            let status = client.child.wait().unwrap();
            assert_eq!(status.code(), Some(130));
        } else {
            let (status, rest) = client.close();
            assert!(status.success());
            assert_eq!(rest[0]["result"]["isError"], true);
            assert!(text(&rest[0]["result"]).contains("exit 130"), "{rest:?}");
        }
        assert!(!Path::new("/proc").join(&pid).exists());
    }
}

#[test]
fn progress_is_told_to_those_who_ask_for_it() {
    let repo = measured();
    let mut client = Client::with(&repo, json!({}));
    let id = client
        .begin("tools/call", json!({"name": "measure", "arguments": {"pairs": 2}, "_meta": {"progressToken": "here"}}));
    let mut told = Vec::new();
    let answer = loop {
        let message = client.next();
        if message["method"] != "notifications/progress" {
            break message;
        }
        assert_eq!(message["params"]["progressToken"], "here");
        told.push(message["params"]["progress"].as_u64().unwrap());
    };
    assert_eq!(answer["id"], id);
    assert!(!told.is_empty() && told.is_sorted_by(|a, b| a < b), "{told:?}");
}

fn stateless(version: &str) -> Value {
    json!({"io.modelcontextprotocol/protocolVersion": version, "io.modelcontextprotocol/clientCapabilities": asking()})
}

#[test]
fn the_version_without_a_session_asks_in_the_answer_and_lands_on_the_second_call() {
    let repo = measured();
    let mut client = Client::silent(&repo, &[]);
    let meta = stateless("2026-07-28");
    let found = client.ask("server/discover", json!({"_meta": meta}));
    assert_eq!(found["result"]["supportedVersions"], json!(["2026-07-28"]));
    assert_eq!(found["result"]["resultType"], "complete");
    let other = client.ask("tools/list", json!({"_meta": stateless("2027-01-01")}));
    assert_eq!(
        (&other["error"]["code"], &other["error"]["data"]["requested"]),
        (&(-32022).into(), &"2027-01-01".into())
    );
    let bare = client.ask("tools/list", json!({"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}));
    assert_eq!(bare["error"]["code"], -32602);

    let params = |arguments: Value, state: &Value| json!({"name": "keep", "arguments": arguments, "_meta": meta, "requestState": state, "inputResponses": {"land": yes()}});
    let arguments = json!({"because": "enough"});
    // A yes to what nobody was shown is none, and neither is one to something else.
    let asked = client.ask("tools/call", params(arguments.clone(), &"made up".into()));
    assert_eq!(asked["result"]["resultType"], "input_required", "{asked}");
    assert_eq!(asked["result"]["inputRequests"]["land"]["method"], "elicitation/create");
    let state = &asked["result"]["requestState"];
    let other = client.ask("tools/call", params(json!({"because": "another"}), state));
    assert_eq!(other["result"]["resultType"], "input_required");
    let kept = client.ask("tools/call", params(arguments.clone(), state));
    assert_eq!(kept["result"]["structuredContent"]["event"]["verdict"], "keep", "{kept}");
    assert_eq!(kept["result"]["resultType"], "complete");
    // Used up.
    let again = client.ask("tools/call", params(arguments, state));
    assert!(again["result"]["structuredContent"].is_null(), "{again}");
}

#[test]
fn the_official_clients_are_at_home_with_it() {
    let Some(tools) = std::env::var_os("GIT_VERDICT_HOOK_TOOLS").map(PathBuf::from) else {
        return common::skip("GIT_VERDICT_HOOK_TOOLS is not set");
    };
    // Modules are looked for beside the script.
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(tools.join("node_modules"), folder.path().join("node_modules")).unwrap();
    for (script, repo) in [("session.mjs", app()), ("stateless.mjs", measured())] {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mcp").join(script);
        let path = folder.path().join(script);
        std::fs::copy(source, &path).unwrap();
        let words = [path.to_str().unwrap(), env!("CARGO_BIN_EXE_git-verdict"), repo.path().to_str().unwrap()];
        let ran = repo.run_in(repo.path(), "node", &words, None);
        assert_eq!(ran.code, Some(0), "{}", ran.report());
        ran.prints(&["all of it"]);
    }
}

#[test]
fn it_needs_a_repository_with_a_work_tree() {
    let folder = tempfile::tempdir().unwrap();
    let repo = app();
    let ran = repo.run_in(folder.path(), env!("CARGO_BIN_EXE_git-verdict"), &["mcp"], None);
    assert_eq!(ran.code, Some(3), "{}", ran.report());
}

/// A message as docs/agents.md shows it: what differs from run to run is left out, and so is the end of a long one.
fn shown(arrow: &str, message: &Value, repo: &Repo) -> String {
    let text = message.to_string().replace(repo.path().to_str().unwrap(), "/home/ada/app");
    let word = |part: &str| {
        let core = part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let id =
            core.len() >= 10 && (core.bytes().all(|b| b.is_ascii_hexdigit()) || ulid::Ulid::from_string(core).is_ok());
        if id { format!("[id]{}", &part[core.len()..]) } else { part.to_string() }
    };
    let text: String = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()).map(word).collect();
    let most = if message["method"] == "elicitation/create" { usize::MAX } else { 170 };
    let cut: String = text.chars().take(most).collect();
    let end = if cut.len() < text.len() { " …" } else { "" };
    format!("{arrow} {cut}{end}\n").replace("\\n", "\n     ")
}

#[test]
fn the_session_in_the_docs_is_one() {
    let repo = app();
    let mut client = Client::silent(&repo, &[]);
    let mut made = String::new();
    let about = json!({"name": "client", "version": "1"});
    let begin = json!({"protocolVersion": "2025-06-18", "capabilities": asking(), "clientInfo": about});
    let call = |name: &str, arguments: Value| json!({"name": name, "arguments": arguments});
    for (method, params) in [
        ("initialize", begin),
        ("tools/call", call("start", json!({"name": "slim", "hypothesis": "a quarter is enough"}))),
        ("tools/call", call("measure", json!({"pairs": 2}))),
        ("tools/call", call("keep", json!({"because": "nothing is missing"}))),
    ] {
        if params["name"] == "measure" {
            repo.write("app", "x".repeat(1000));
            repo.commit("perf: a quarter");
        }
        let id = client.begin(method, params.clone());
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        made += &shown("-->", &request, &repo);
        let mut answer = client.next();
        made += &shown("<--", &answer, &repo);
        if answer["method"] == "elicitation/create" {
            let approval = json!({"jsonrpc": "2.0", "id": answer["id"], "result": yes()});
            client.send(&approval);
            made += &shown("-->", &approval, &repo);
            answer = client.next();
            made += &shown("<--", &answer, &repo);
        }
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/agents.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once("```text,session\n").unwrap();
    let (written, after) = rest.split_once("```\n").unwrap();
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&page, format!("{before}```text,session\n{made}```\n{after}")).unwrap();
    } else {
        assert_eq!(written, made, "UPDATE_REFERENCE=1 cargo test --test all mcp::");
    }
}

#[test]
fn the_loop_in_the_docs_measures_each_idea_and_leaves_the_decision_to_a_person_or_to_the_user_s_setting() {
    if !common::works("jq", &["--version"]) {
        return common::skip("there is no jq");
    }
    let mut repo = app();
    let bin = Path::new(env!("CARGO_BIN_EXE_git-verdict")).parent().unwrap();
    repo.set("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()));
    let script = repo.write(".git/loop.sh", include_str!("../docs/agents/loop.sh"));
    let ideas =
        "slim|a quarter is enough|head -c 1000 /dev/zero > app\nfat|more is better|head -c 9000 /dev/zero > app\n";
    let ideas_file = repo.write(".git/ideas", ideas);
    let words = [script.to_str().unwrap(), ideas_file.to_str().unwrap()];
    let ran = repo.run_in(repo.path(), "sh", &words, None);
    assert_eq!(ran.code, Some(0), "{}", ran.report());
    ran.prints(&["slim: keep", "fat: revert", "git verdict keep slim --because", "git verdict revert fat --because"]);
    assert_eq!(repo.git(&["rev-list", "--count", "main"]), "1");
    assert_eq!(repo.json(&["log"])["decisions"].as_array().unwrap().len(), 0);
    // Again: what was tried is not tried twice, and this time it may land.
    let land = [words[0], words[1], "--land"];
    let ran = repo.run_in(repo.path(), "sh", &land, None);
    assert_eq!(ran.code, Some(0), "{}", ran.report());
    ran.prints(&["slim: was tried", "fat: was tried"]);
    repo.write(".git/ideas", "tiny|a tenth is enough|head -c 400 /dev/zero > app\n");
    let ran = repo.run_in(repo.path(), "sh", &land, None);
    assert_eq!(ran.code, Some(0), "{}", ran.report());
    assert_eq!(repo.json(&["show", "tiny"])["experiment"]["state"], "kept");
}
