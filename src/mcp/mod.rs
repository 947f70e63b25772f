//! An MCP server over standard input and output: the operations of this program as tools for an agent.
//!
//! Each call runs this same program as a child with `--json` and a closed standard input, in the one repository that the
//! server was started for, and hands on the object that it prints. So an agent gets what a person gets, under the same trust,
//! locks and preflight, and the server itself knows nothing of git.
//!
//! A decision is a person's. What `--dry-run` shows is put before one (elicitation), and after a yes it is made anew and must
//! be the same, because the agent could have moved the branch in between; only then it lands. A client that cannot ask is told
//! the command for a person to run. The setting [`SETTING`] allows landing without asking; it counts only in the
//! configuration of the user or the system, which neither a repository nor an agent that writes in one can change.
//!
//! The messages are `serde_json` values, written and read here. The official SDK (`rmcp` 3.11 with tokio) and the types of the
//! specification alone (`rust-mcp-schema` 2.0) add 1.2 MB and 0.7 MB to the smallest program that uses them, built as ours is:
//! too much for the dozen messages that are needed here.
//!
//! Source of the protocol: modelcontextprotocol.io/specification, 2024-11-05 to 2025-11-25 (with `initialize`) and
//! 2026-07-28 (without; every request names its version). Batches, which only 2025-03-26 had, are refused.

mod child;
mod tools;
pub mod wire;

use crate::git::Repo;
use crate::measure::interrupt;
use crate::phrase;
use crate::phrase::Phrase;
use crate::render::Lang;
use crate::render::text::{clean, shell_word};
use child::Ended;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::Pid;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use tools::{Kind, TOOLS, Tool};
use ulid::Ulid;
use wire::{BAD_PARAMS, Bad, INVALID, Message, NO_METHOD, NO_RESOURCE, VERSION};

/// The setting of git that says whether an agent may land without asking: `ask` (default) or `allowed`.
pub const SETTING: &str = "verdict.agentLanding";

/// Versions of the protocol that begin with `initialize`, the newest first.
const VERSIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// The version in which every request stands for itself.
const STATELESS: &str = "2026-07-28";

/// Commands that run at the same time; more wait.
const AT_ONCE: usize = 4;

/// Calls that are waiting or running; more are refused.
const MOST_CALLS: usize = 64;

const INSTRUCTIONS: &str = "git-verdict measures an optimization attempt on a branch of its own and records the decision in \
    history. Work in this order: log (was it tried before?), start, edit and commit one small change, measure (its \
    result holds a recommendation), compare; then keep or revert with dry_run to see what would be done, and without it to ask a \
    person to land it. The \
    numbers decide: do not change verdict.toml, the measuring scripts or the tests in an experiment.";

/// What the server is for.
#[derive(Debug)]
pub struct Server {
    /// The program that is run for each call: this one.
    pub program: PathBuf,
    /// The root of the work tree; nothing outside of it is looked at.
    pub root: PathBuf,
    /// The language of what people are shown.
    pub lang: Lang,
}

/// What wakes the server.
#[derive(Debug)]
enum Event {
    /// A line from the client; none for one that was too long.
    Line(Option<Vec<u8>>),
    /// The client will send no more.
    End,
    /// A signal asks to stop.
    Stop,
    /// A command noted something on standard error.
    Note(u64, String),
    /// A command ended.
    Ended(u64, Ended),
}

/// What is done with the output of a command.
#[derive(Debug)]
enum Purpose {
    /// It is the answer.
    Answer,
    /// It is the content of a resource.
    Resource(String),
    /// It is shown to a person.
    Preview,
    /// A person looks at what was shown; no command runs.
    Asked(String),
    /// It must still be what was shown; then the decision lands.
    Again(String),
}

/// A request that is not answered yet.
#[derive(Debug)]
struct Call {
    id: Value,
    kind: Kind,
    purpose: Purpose,
    /// The command and its arguments.
    words: Vec<String>,
    progress: Option<Value>,
    noted: u64,
    /// None while it waits.
    pid: Option<Pid>,
    cancelled: bool,
    stateless: bool,
    can_ask: bool,
}

/// What a person is looking at, in the stateless version: the command, what was shown, the key under which the answer comes.
type Shown = (String, Vec<String>, String);

struct Session<'a> {
    server: &'a Server,
    out: &'a mut dyn Write,
    tell: SyncSender<Event>,
    calls: BTreeMap<u64, Call>,
    shown: Vec<Shown>,
    next: u64,
    open: bool,
    can_ask: bool,
    ended: bool,
}

/// Serves one client until it closes its side or a signal comes; whether it was a signal.
pub fn serve(server: &Server, input: impl BufRead + Send + 'static, out: &mut dyn Write) -> io::Result<bool> {
    let _guard = interrupt::Guard::new()?;
    let wake = interrupt::wake()?;
    let (tell, events) = sync_channel(64);
    let (lines, signals) = (tell.clone(), tell.clone());
    std::thread::spawn(move || read_lines(input, &lines));
    std::thread::spawn(move || {
        while poll(&mut [PollFd::new(&wake, PollFlags::IN)], None).is_err() {}
        let _ = signals.send(Event::Stop);
    });
    let calls = BTreeMap::new();
    let mut session =
        Session { server, out, tell, calls, shown: Vec::new(), next: 0, open: false, can_ask: false, ended: false };
    session.run(&events)
}

fn read_lines(mut input: impl BufRead, tell: &SyncSender<Event>) {
    while let Ok(Some(line)) = wire::line(&mut input) {
        if tell.send(Event::Line(line)).is_err() {
            return;
        }
    }
    let _ = tell.send(Event::End);
}

impl Session<'_> {
    fn run(&mut self, events: &Receiver<Event>) -> io::Result<bool> {
        let mut stopped = false;
        while !self.ended || !self.calls.is_empty() {
            let Ok(event) = events.recv() else { break };
            match event {
                Event::Line(line) => match wire::read(line.as_deref()) {
                    Ok(None) => {}
                    Ok(Some(Message::Request { id, method, params })) => self.request(id, &method, &params)?,
                    Ok(Some(Message::Notification { method, params })) => self.notification(&method, &params)?,
                    Ok(Some(Message::Response { id, result })) => self.response(&id, result.as_ref())?,
                    Err(Bad(id, code, what)) => self.refuse(&id, code, what)?,
                },
                Event::Note(call, text) => self.note(call, &text)?,
                Event::Ended(call, ended) => self.ended(call, &ended)?,
                Event::End => self.end(|call| call.kind == Kind::Measure),
                Event::Stop => {
                    stopped = true;
                    self.end(|_| true);
                }
            }
            self.start_waiting()?;
        }
        Ok(stopped)
    }

    fn send(&mut self, message: &Value) -> io::Result<()> {
        writeln!(self.out, "{message}")?;
        self.out.flush()
    }

    fn refuse(&mut self, id: &Value, code: i64, what: &str) -> io::Result<()> {
        self.send(&wire::error(id, code, what))
    }

    fn reply(&mut self, id: &Value, stateless: bool, mut result: Value) -> io::Result<()> {
        if stateless && result.get("resultType").is_none() {
            result["resultType"] = "complete".into();
        }
        self.send(&json!({"jsonrpc": "2.0", "id": id, "result": result}))
    }

    fn request(&mut self, id: Value, method: &str, params: &Value) -> io::Result<()> {
        if self.calls.values().any(|call| call.id == id && !call.cancelled) {
            return self.refuse(&id, INVALID, "a request with this id is being answered");
        }
        let meta = |key: &str| params.get("_meta").and_then(|meta| meta.get(key));
        let asked = meta("io.modelcontextprotocol/protocolVersion");
        let stateless = asked.is_some();
        if let Some(version) = asked.filter(|version| *version != STATELESS) {
            let mut message = wire::error(&id, VERSION, "this version of the protocol is not spoken here");
            message["error"]["data"] = json!({"supported": [STATELESS], "requested": version});
            return self.send(&message);
        }
        let capabilities = meta("io.modelcontextprotocol/clientCapabilities");
        if stateless && !capabilities.is_some_and(Value::is_object) {
            return self.refuse(&id, BAD_PARAMS, "_meta is to hold io.modelcontextprotocol/clientCapabilities");
        }
        if !stateless && !self.open && !matches!(method, "initialize" | "ping") {
            return self.refuse(&id, INVALID, "initialize comes first");
        }
        let can_ask = if stateless { asks(capabilities) } else { self.can_ask };
        let about = json!({"name": "git-verdict", "title": "git-verdict", "version": env!("CARGO_PKG_VERSION")});
        let offers = json!({"tools": {}, "resources": {}});
        let mut result = match method {
            "initialize" => return self.initialize(&id, params, &about, &offers),
            "server/discover" if stateless => json!({
                "supportedVersions": [STATELESS], "capabilities": offers, "instructions": INSTRUCTIONS,
                "_meta": {"io.modelcontextprotocol/serverInfo": about},
            }),
            "ping" => return self.reply(&id, stateless, json!({})),
            "tools/list" | "resources/list" | "resources/templates/list" if params.get("cursor").is_some() => {
                return self.refuse(&id, BAD_PARAMS, "there is no such cursor: all is told at once");
            }
            "tools/list" => json!({"tools": TOOLS.iter().map(Tool::describe).collect::<Vec<_>>()}),
            "resources/list" => json!({"resources": [
                {"uri": "verdict://log", "name": "log", "mimeType": "application/json",
                 "description": "The decisions, newest first"},
                {"uri": "verdict://status", "name": "status", "mimeType": "application/json",
                 "description": "Where the experiment of this branch is"},
            ]}),
            "resources/templates/list" => json!({"resourceTemplates": [
                {"uriTemplate": "verdict://show/{name}", "name": "show", "mimeType": "application/json",
                 "description": "One experiment, or one record by its id, whole"},
            ]}),
            "tools/call" | "resources/read" => {
                let progress = meta("progressToken").filter(|token| token.is_string() || token.is_i64()).cloned();
                let call = Call {
                    id,
                    kind: Kind::Read,
                    purpose: Purpose::Answer,
                    words: Vec::new(),
                    progress,
                    noted: 0,
                    pid: None,
                    cancelled: false,
                    stateless,
                    can_ask,
                };
                return if method == "tools/call" { self.call(call, params) } else { self.read(call, params) };
            }
            _ => return self.refuse(&id, NO_METHOD, &format!("there is no method {method:?}")),
        };
        if stateless {
            result["ttlMs"] = 3_600_000.into();
            result["cacheScope"] = "private".into();
        }
        self.reply(&id, stateless, result)
    }

    fn initialize(&mut self, id: &Value, params: &Value, about: &Value, offers: &Value) -> io::Result<()> {
        if self.open {
            return self.refuse(id, INVALID, "this connection is initialized already");
        }
        let Some(asked) = params.get("protocolVersion").and_then(Value::as_str) else {
            return self.refuse(id, BAD_PARAMS, "protocolVersion is missing");
        };
        let version = VERSIONS.into_iter().find(|version| *version == asked).unwrap_or(VERSIONS[0]);
        self.open = true;
        self.can_ask = asks(params.get("capabilities"));
        let result = json!({"protocolVersion": version, "capabilities": offers, "serverInfo": about, "instructions": INSTRUCTIONS});
        self.reply(id, false, result)
    }

    fn notification(&mut self, method: &str, params: &Value) -> io::Result<()> {
        if method != "notifications/cancelled" {
            return Ok(());
        }
        let id = params.get("requestId").unwrap_or(&Value::Null);
        let Some(number) = self.calls.iter().find(|(_, call)| call.id == *id && !call.cancelled).map(|(n, _)| *n)
        else {
            return Ok(());
        };
        let call = self.calls.get_mut(&number).expect("it was found");
        match (&call.purpose, call.pid) {
            (Purpose::Asked(_), _) => {
                self.calls.remove(&number);
                let params = json!({"requestId": question(number), "reason": "the request was cancelled"});
                return self.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}));
            }
            (_, None) => {
                self.calls.remove(&number);
            }
            // What writes is not cut off; it takes a moment, and its answer says what became of it.
            (Purpose::Answer, Some(_)) if matches!(call.kind, Kind::Land | Kind::Write) => {}
            (_, pid) => {
                call.cancelled = true;
                child::interrupt(pid);
            }
        }
        Ok(())
    }

    fn read(&mut self, mut call: Call, params: &Value) -> io::Result<()> {
        let uri = params.get("uri").and_then(Value::as_str).unwrap_or_default();
        let (tool, arguments) = match uri.strip_prefix("verdict://") {
            Some(name @ ("log" | "status")) => (name, json!({})),
            Some(rest) => match rest.strip_prefix("show/") {
                Some(name) if !name.is_empty() => ("show", json!({"name": name})),
                _ => return self.no_resource(&call),
            },
            None => return self.no_resource(&call),
        };
        let words = Tool::named(tool).map(|tool| tool.words(Some(&arguments), &self.server.root));
        let Some(Ok((words, _))) = words else { return self.no_resource(&call) };
        call.words = [vec![tool.to_string()], words].concat();
        call.purpose = Purpose::Resource(uri.to_string());
        self.enqueue(call)
    }

    fn no_resource(&mut self, call: &Call) -> io::Result<()> {
        let code = if call.stateless { BAD_PARAMS } else { NO_RESOURCE };
        self.refuse(&call.id, code, "there is no such resource")
    }

    fn call(&mut self, mut call: Call, params: &Value) -> io::Result<()> {
        let name = params.get("name").and_then(Value::as_str).unwrap_or_default();
        let Some(tool) = Tool::named(name) else {
            let names: Vec<&str> = TOOLS.iter().map(|tool| tool.name).collect();
            let what = format!("there is no tool {name:?}; there are: {}", names.join(", "));
            return self.refuse(&call.id, BAD_PARAMS, &what);
        };
        let (words, dry) = match tool.words(params.get("arguments"), &self.server.root) {
            Ok(words) => words,
            Err(why) => return self.fail(&call, why),
        };
        call.words = [vec![name.to_string()], words].concat();
        call.kind = if dry { Kind::Read } else { tool.kind };
        if call.kind != Kind::Land || self.allowed() {
            return self.enqueue(call);
        }
        if !call.can_ask {
            let why = self.for_a_person(&call.words);
            return self.fail(&call, why);
        }
        let state = params.get("requestState").and_then(Value::as_str);
        let known = self.shown.iter().position(|(key, words, _)| Some(key.as_str()) == state && *words == call.words);
        match (known, params.get("inputResponses").and_then(|all| all.get("land"))) {
            (Some(at), Some(answer)) => {
                let (_, _, shown) = self.shown.remove(at);
                self.answered(call, shown, Some(answer))
            }
            _ => {
                call.purpose = Purpose::Preview;
                self.enqueue(call)
            }
        }
    }

    /// Whether the user's own configuration lets an agent land without asking. A repository can only say no.
    fn allowed(&self) -> bool {
        let Ok(repo) = Repo::discover(&self.server.root) else { return false };
        let values = repo.scoped_values(SETTING);
        let users = values.iter().rfind(|(scope, _)| matches!(scope.as_str(), "global" | "system"));
        users.is_some_and(|(_, value)| value == "allowed")
            && values.iter().all(|(scope, value)| matches!(scope.as_str(), "global" | "system") || value == "allowed")
    }

    fn for_a_person(&self, words: &[String]) -> String {
        let line = words.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" ");
        let line = format!("git -C {} verdict {line}", shell_word(&self.server.root.display().to_string()));
        self.say(phrase!(
            "a person is to approve this, and this client cannot ask one (it does not offer elicitation); nothing was done\n\
             let a person run: {line}",
            line
        ))
    }

    fn say(&self, text: impl Into<Phrase>) -> String {
        text.into().in_language(&self.server.lang)
    }

    fn enqueue(&mut self, call: Call) -> io::Result<()> {
        if self.calls.len() >= MOST_CALLS {
            return self.fail(&call, format!("{MOST_CALLS} calls are being answered: wait for one of them"));
        }
        self.next += 1;
        self.calls.insert(self.next, call);
        Ok(())
    }

    fn start_waiting(&mut self) -> io::Result<()> {
        loop {
            let asked = |call: &Call| matches!(call.purpose, Purpose::Asked(_));
            let running = self.calls.values().filter(|call| call.pid.is_some()).count();
            let waiting = self.calls.iter().find(|(_, call)| call.pid.is_none() && !asked(call));
            let Some((&number, call)) = waiting.filter(|_| running < AT_ONCE) else { return Ok(()) };
            let words = match &call.purpose {
                Purpose::Preview | Purpose::Again(_) => preview(&call.words),
                _ => [call.words.as_slice(), &[]].concat(),
            };
            let words = match &call.purpose {
                Purpose::Preview | Purpose::Again(_) => words,
                _ => [vec!["--json".to_string()], words].concat(),
            };
            match child::start(self.server, &words, number, &self.tell) {
                Ok(pid) => self.calls.get_mut(&number).expect("it was found").pid = pid,
                Err(error) => {
                    let call = self.calls.remove(&number).expect("it was found");
                    self.fail(&call, format!("{}: {error}", self.server.program.display()))?;
                }
            }
        }
    }

    fn note(&mut self, number: u64, text: &str) -> io::Result<()> {
        let Some(call) = self.calls.get_mut(&number) else { return Ok(()) };
        let Some(token) = call.progress.clone().filter(|_| !call.cancelled) else { return Ok(()) };
        call.noted += 1;
        let params = json!({"progressToken": token, "progress": call.noted, "message": text});
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}))
    }

    fn ended(&mut self, number: u64, ended: &Ended) -> io::Result<()> {
        let Some(mut call) = self.calls.remove(&number) else { return Ok(()) };
        call.pid = None;
        if call.cancelled {
            return Ok(());
        }
        if ended.too_much() {
            return self.fail(&call, "the answer is larger than 16 MiB: ask for less");
        }
        let text = String::from_utf8_lossy(&ended.stdout).into_owned();
        match std::mem::replace(&mut call.purpose, Purpose::Answer) {
            Purpose::Answer => self.answer(&call, ended, &text),
            Purpose::Resource(uri) if ended.code == Some(0) => {
                let contents = json!([{"uri": uri, "mimeType": "application/json", "text": text.trim_end()}]);
                let mut result = json!({"contents": contents});
                if call.stateless {
                    result["ttlMs"] = 0.into();
                    result["cacheScope"] = "private".into();
                }
                self.reply(&call.id, call.stateless, result)
            }
            Purpose::Resource(_) => self.no_resource(&call),
            _ if ended.code != Some(0) => self.answer(&call, ended, ""),
            // The client has gone: there is nobody to ask, and nothing lands that nobody would hear of.
            _ if self.ended => Ok(()),
            Purpose::Preview => self.ask(number, call, text),
            Purpose::Again(shown) if masked(&shown) == masked(&text) => {
                self.calls.insert(number, call);
                Ok(())
            }
            _ => {
                let why = self.say("what would be done has changed since it was shown; nothing was done");
                self.fail(&call, why)
            }
        }
    }

    fn answer(&mut self, call: &Call, ended: &Ended, text: &str) -> io::Result<()> {
        let object: Value = serde_json::from_str(text).unwrap_or_default();
        let good = matches!(ended.code, Some(0 | 1)) && object.is_object() && object["schema"] != "git-verdict/error";
        if !good {
            let ending = ended.code.map_or("a signal ended it".to_string(), |code| format!("exit {code}"));
            return self.fail(call, format!("{}\n{ending}", ended.stderr.trim_end()));
        }
        let content = json!([{"type": "text", "text": text.trim_end()}]);
        let result = json!({
            "content": content, "structuredContent": object, "isError": false, "_meta": {"git-verdict/exit": ended.code},
        });
        self.reply(&call.id, call.stateless, result)
    }

    fn fail(&mut self, call: &Call, why: impl Into<String>) -> io::Result<()> {
        let result = json!({"content": [{"type": "text", "text": why.into()}], "isError": true});
        self.reply(&call.id, call.stateless, result)
    }

    /// Puts what would be done before a person.
    fn ask(&mut self, number: u64, mut call: Call, shown: String) -> io::Result<()> {
        let command = call.words[0].clone();
        let message = self.say(phrase!(
            "An agent asks to {command} in {place}. This is what would be done:\n\n{shown}",
            command,
            place = clean(&self.server.root.display().to_string()),
            shown = shown.trim_end()
        ));
        let land = json!({"type": "boolean", "title": self.say("Yes, do this"), "default": false});
        let form = json!({"type": "object", "properties": {"land": land}, "required": ["land"]});
        let mut params = json!({"message": message, "requestedSchema": form});
        if call.stateless {
            params["mode"] = "form".into();
            let key = Ulid::new().to_string();
            let asked = json!({"land": {"method": "elicitation/create", "params": params}});
            let result = json!({"resultType": "input_required", "inputRequests": asked, "requestState": key});
            self.reply(&call.id, true, result)?;
            if self.shown.len() >= MOST_CALLS {
                self.shown.remove(0);
            }
            self.shown.push((key, call.words, shown));
            return Ok(());
        }
        call.purpose = Purpose::Asked(shown);
        self.calls.insert(number, call);
        self.send(&json!({"jsonrpc": "2.0", "id": question(number), "method": "elicitation/create", "params": params}))
    }

    fn response(&mut self, id: &Value, result: Option<&Value>) -> io::Result<()> {
        let asked = |(number, call): (&u64, &Call)| {
            (matches!(call.purpose, Purpose::Asked(_)) && *id == question(*number)).then_some(*number)
        };
        let Some(number) = self.calls.iter().find_map(asked) else { return Ok(()) };
        let mut call = self.calls.remove(&number).expect("it was found");
        match std::mem::replace(&mut call.purpose, Purpose::Answer) {
            Purpose::Asked(shown) => self.answered(call, shown, result),
            _ => Ok(()),
        }
    }

    /// Goes on as a person decided: only a clear yes is one.
    fn answered(&mut self, mut call: Call, shown: String, answer: Option<&Value>) -> io::Result<()> {
        let yes = answer.is_some_and(|answer| answer["action"] == "accept" && answer["content"]["land"] == true);
        if !yes {
            let why = self.say("a person did not approve this; nothing was done");
            return self.fail(&call, why);
        }
        call.purpose = Purpose::Again(shown);
        self.enqueue(call)
    }

    /// No more comes from the client: nobody can be asked any more, and what `cut` says is interrupted or not even begun.
    /// A decision that is landing is never cut off.
    fn end(&mut self, cut: impl Fn(&Call) -> bool) {
        self.ended = true;
        self.calls.retain(|_, call| {
            let landing = call.kind == Kind::Land && matches!(call.purpose, Purpose::Answer);
            match call.pid {
                None => landing || !(cut(call) || matches!(call.purpose, Purpose::Asked(_) | Purpose::Again(_))),
                Some(_) if landing || call.kind == Kind::Write => true,
                pid => {
                    if cut(call) {
                        child::interrupt(pid);
                    }
                    true
                }
            }
        });
    }
}

/// Whether a client with these capabilities can put a form before a person.
fn asks(capabilities: Option<&Value>) -> bool {
    let elicitation = capabilities.and_then(|all| all.get("elicitation")).and_then(Value::as_object);
    // An empty object is a form too, as before there was anything else.
    elicitation.is_some_and(|modes| modes.is_empty() || modes.contains_key("form"))
}

/// The id of the question that a call asks.
fn question(number: u64) -> String {
    format!("approve-{number}")
}

/// The command that shows what a decision would do.
fn preview(words: &[String]) -> Vec<String> {
    let (command, rest) = words.split_first().expect("a command");
    if command == "abandon" {
        let name = rest.iter().skip_while(|word| *word != "--").cloned();
        return ["show".to_string()].into_iter().chain(name).collect();
    }
    [command.clone(), "--dry-run".to_string()].into_iter().chain(rest.iter().cloned()).collect()
}

/// A preview without the ids of records, which are new each time.
fn masked(text: &str) -> String {
    let edge = |c: char| !c.is_ascii_alphanumeric();
    let word = |part: &str| {
        let core = part.trim_end_matches(edge);
        if core.len() == ulid::ULID_LEN && Ulid::from_string(core).is_ok() {
            part[core.len()..].into()
        } else {
            part.to_string()
        }
    };
    text.split_inclusive(edge).map(word).collect()
}
