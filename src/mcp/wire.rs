//! JSON-RPC 2.0 over lines: one message a line, in UTF-8, of a bounded length.

use serde_json::{Value, json};
use std::io::{self, BufRead};

/// The longest message in bytes; a longer one is refused, and the connection goes on.
pub(super) const LONGEST: usize = 4 << 20;

pub(super) const MALFORMED: i64 = -32700;
pub(super) const INVALID: i64 = -32600;
pub(super) const NO_METHOD: i64 = -32601;
pub(super) const BAD_PARAMS: i64 = -32602;
pub(super) const NO_RESOURCE: i64 = -32002;
pub(super) const VERSION: i64 = -32022;

/// What a line holds.
#[derive(Debug, PartialEq)]
pub enum Message {
    /// What wants an answer.
    Request {
        /// A text or a whole number, which the answer repeats.
        id: Value,
        /// What is asked for.
        method: String,
        /// An object, or null.
        params: Value,
    },
    /// What wants none.
    Notification {
        /// What is told.
        method: String,
        /// What comes with it.
        params: Value,
    },
    /// The answer to a request of ours; none when it is an error.
    Response {
        /// That of the request.
        id: Value,
        /// What it answers.
        result: Option<Value>,
    },
}

/// Why a line is no message: the id to answer with, the code and the sentence.
#[derive(Debug, PartialEq)]
pub struct Bad(pub Value, pub i64, pub &'static str);

/// Reads to the end of a line. `Some(None)` is a line that was too long, of which nothing is kept; None is the end.
pub fn line(input: &mut impl BufRead) -> io::Result<Option<Option<Vec<u8>>>> {
    let (mut text, mut any, mut long) = (Vec::new(), false, false);
    loop {
        let part = match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            part => part?,
        };
        if part.is_empty() {
            return Ok(any.then_some((!long).then_some(text)));
        }
        any = true;
        let end = part.iter().position(|byte| *byte == b'\n');
        let taken = end.unwrap_or(part.len());
        long |= text.len() + taken > LONGEST;
        if long {
            text = Vec::new();
        } else {
            text.extend_from_slice(&part[..taken]);
        }
        input.consume(taken + usize::from(end.is_some()));
        if end.is_some() {
            return Ok(Some((!long).then_some(text)));
        }
    }
}

/// What a line says; none for an empty one.
pub fn read(line: Option<&[u8]>) -> Result<Option<Message>, Bad> {
    let Some(line) = line else {
        return Err(Bad(Value::Null, INVALID, "the message is longer than 4 MiB"));
    };
    if line.trim_ascii().is_empty() {
        return Ok(None);
    }
    let Ok(text) = std::str::from_utf8(line) else {
        return Err(Bad(Value::Null, MALFORMED, "the message is not UTF-8"));
    };
    let mut fields = match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => fields,
        Ok(Value::Array(_)) => {
            return Err(Bad(Value::Null, INVALID, "batches are no part of the protocol: send one message a line"));
        }
        Ok(_) => return Err(Bad(Value::Null, INVALID, "the message is no object")),
        Err(_) => return Err(Bad(Value::Null, MALFORMED, "the message is no JSON")),
    };
    let id = fields.remove("id");
    let known = match &id {
        Some(Value::String(_)) => true,
        Some(Value::Number(number)) => !number.is_f64(),
        _ => false,
    };
    let bad = |what| Err(Bad(id.clone().filter(|_| known).unwrap_or_default(), INVALID, what));
    if fields.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return bad("jsonrpc is to be \"2.0\"");
    }
    if id.is_some() && !known {
        return bad("the id is to be a text or a whole number");
    }
    let params = fields.remove("params").unwrap_or_default();
    match (fields.remove("method"), id) {
        (Some(Value::String(_)), Some(id)) if !(params.is_object() || params.is_null()) => {
            Err(Bad(id, BAD_PARAMS, "params is to be an object"))
        }
        (Some(Value::String(method)), Some(id)) => Ok(Some(Message::Request { id, method, params })),
        (Some(Value::String(method)), None) => Ok(Some(Message::Notification { method, params })),
        (None, Some(id)) if fields.contains_key("result") || fields.contains_key("error") => {
            Ok(Some(Message::Response { id, result: fields.remove("result") }))
        }
        (_, id) => Err(Bad(id.unwrap_or_default(), INVALID, "the message is neither a request nor an answer")),
    }
}

/// A message that tells what is wrong.
pub(super) fn error(id: &Value, code: i64, what: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": what}})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &[u8]) -> (Value, i64) {
        let Bad(id, code, _) = read(Some(text)).unwrap_err();
        (id, code)
    }

    #[test]
    fn each_kind_of_message_is_told_apart() {
        let request = read(Some(br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#)).unwrap();
        assert_eq!(request, Some(Message::Request { id: 1.into(), method: "ping".into(), params: Value::Null }));
        assert!(matches!(
            read(Some(br#"{"jsonrpc":"2.0","method":"x","params":{}}"#)),
            Ok(Some(Message::Notification { .. }))
        ));
        let answer = read(Some(br#"{"jsonrpc":"2.0","id":"a","error":{}}"#)).unwrap();
        assert_eq!(answer, Some(Message::Response { id: "a".into(), result: None }));
        assert_eq!(read(Some(b" \r")), Ok(None));
    }

    #[test]
    fn what_is_wrong_has_its_code_and_the_id_where_there_is_one() {
        assert_eq!(code(b"{"), (Value::Null, MALFORMED));
        assert_eq!(code(b"\xff"), (Value::Null, MALFORMED));
        assert_eq!(code("[".repeat(100_000).as_bytes()), (Value::Null, MALFORMED));
        assert_eq!(code(b"[]"), (Value::Null, INVALID));
        assert_eq!(code(b"1"), (Value::Null, INVALID));
        assert_eq!(code(br#"{"id":1,"method":"ping"}"#), (1.into(), INVALID));
        assert_eq!(code(br#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#), (Value::Null, INVALID));
        assert_eq!(code(br#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#), (Value::Null, INVALID));
        assert_eq!(code(br#"{"jsonrpc":"2.0","id":1,"method":2}"#), (1.into(), INVALID));
        assert_eq!(code(br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#), (1.into(), BAD_PARAMS));
        assert_eq!(read(None).unwrap_err().1, INVALID);
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over_and_the_next_one_is_read() {
        let mut text = vec![b'x'; LONGEST + 1];
        text.extend_from_slice(b"\nnext\ncut");
        let mut input = io::BufReader::new(&text[..]);
        assert_eq!(line(&mut input).unwrap(), Some(None));
        assert_eq!(line(&mut input).unwrap(), Some(Some(b"next".to_vec())));
        assert_eq!(line(&mut input).unwrap(), Some(Some(b"cut".to_vec())));
        assert_eq!(line(&mut input).unwrap(), None);
    }
}
