//! The protocol of the key-value store: any bytes, and well-formed commands against a map.

use std::collections::HashMap;
use std::sync::Arc;

use anyloop::{CloseReason, Limits, Service};
use anyloop_cli::LoadFraming;
use arbitrary::{Result, Unstructured};
use key_value::KeyValue;

use crate::pieces::{Cuts, same_in_pieces};

/// Commands to the store. The replies are as many as the commands.
pub fn resp(data: &[u8]) {
    let mut data = Unstructured::new(data);
    let _ = match data.arbitrary() {
        Ok(true) => any_input(&mut data),
        _ => well_formed(&mut data),
    };
}

fn service(limits: Limits) -> Service {
    Service::new(Arc::new(KeyValue::new(1 << 20))).with_limits(limits)
}

fn any_input(data: &mut Unstructured<'_>) -> Result<()> {
    let (cuts, max) = (Cuts::new(data)?, usize::from(data.arbitrary::<u8>()?));
    let input = data.bytes(data.len())?;
    let heard = same_in_pieces(|| service(Limits::default().with_max_message(max)), input, cuts);
    let mut replies = LoadFraming::Resp.replies(&heard.bytes[..]);
    let mut count = 0;
    let mut last = Vec::new();
    while let Ok(reply) = replies.receive() {
        (last, count) = (reply, count + 1);
    }
    let is_error = match heard.over {
        CloseReason::TooLong | CloseReason::Incomplete => true,
        CloseReason::Malformed => count > heard.messages, // a browser gets no reply
        CloseReason::EndOfInput | CloseReason::Exit => false,
        other => panic!("{other:?}"),
    };
    assert_eq!(count, heard.messages + u64::from(is_error), "{:?}", heard.bytes.escape_ascii().to_string());
    assert!(!is_error || last.starts_with(b"-ERR "), "{last:?}");
    Ok(())
}

fn well_formed(data: &mut Unstructured<'_>) -> Result<()> {
    let cuts = Cuts::new(data)?;
    let (mut input, mut expected) = (Vec::new(), Vec::new());
    let (mut model, mut count) = (HashMap::new(), 0);
    while !data.is_empty() {
        let command = command(data)?;
        expected.extend(answer(&command, &mut model));
        if data.arbitrary()? {
            array(&command, &mut input)
        } else {
            line(&command, &mut input)
        }
        count += 1;
    }
    let heard = same_in_pieces(|| service(Limits::default()), &input, cuts);
    assert_eq!(
        heard.bytes.escape_ascii().to_string(),
        expected.escape_ascii().to_string(),
        "{}",
        input.escape_ascii()
    );
    assert_eq!((heard.messages, heard.over), (count, CloseReason::EndOfInput));
    Ok(())
}

fn command(data: &mut Unstructured<'_>) -> Result<Vec<Vec<u8>>> {
    let name: &str =
        data.choose(&["SET", "get", "Del", "EXISTS", "INCR", "MGET", "ECHO", "PING", "DBSIZE"])?;
    let key = |data: &mut Unstructured<'_>| Ok(vec![*data.choose(b"ab\n")?]);
    let value = |data: &mut Unstructured<'_>| -> Result<Vec<u8>> {
        let length = usize::from(data.arbitrary::<u8>()? % 16).min(data.len());
        Ok(data.bytes(length)?.to_vec())
    };
    let mut words = vec![name.as_bytes().to_vec()];
    match name {
        "SET" => {
            words.extend([key(data)?, value(data)?]);
            match data.int_in_range(0..=5)? {
                0 => words.push(b"NX".to_vec()),
                1 => words.push(b"xx".to_vec()),
                _ => {}
            }
        }
        "get" | "INCR" => words.push(key(data)?),
        "ECHO" => words.push(value(data)?),
        "PING" | "DBSIZE" => {}
        _ => {
            for _ in 0..data.int_in_range(1..=3)? {
                words.push(key(data)?);
            }
        }
    }
    Ok(words)
}

fn array(words: &[Vec<u8>], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    words.iter().for_each(|word| out.extend(bulk(Some(word))));
}

/// A line, with each word in quotes, and each byte escaped.
fn line(words: &[Vec<u8>], out: &mut Vec<u8>) {
    for word in words {
        out.push(b'"');
        word.iter().for_each(|byte| out.extend_from_slice(format!("\\x{byte:02x}").as_bytes()));
        out.extend_from_slice(b"\" ");
    }
    out.extend_from_slice(b"\r\n");
}

fn bulk(bytes: Option<&Vec<u8>>) -> Vec<u8> {
    let Some(bytes) = bytes else { return b"$-1\r\n".to_vec() };
    [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// What the store answers, according to a map.
fn answer(words: &[Vec<u8>], model: &mut HashMap<Vec<u8>, Vec<u8>>) -> Vec<u8> {
    let count = |count: usize| format!(":{count}\r\n").into_bytes();
    let keys = || words[1..].iter();
    match &words[0].to_ascii_uppercase()[..] {
        b"SET" => {
            let is_present = model.contains_key(&words[1]);
            let is_to_be = words.get(3).map(|option| option == b"xx");
            if is_to_be.is_some_and(|is_to_be| is_to_be != is_present) {
                return bulk(None);
            }
            model.insert(words[1].clone(), words[2].clone());
            b"+OK\r\n".to_vec()
        }
        b"GET" => bulk(model.get(&words[1])),
        b"DEL" => count(keys().filter(|key| model.remove(*key).is_some()).count()),
        b"EXISTS" => count(keys().filter(|key| model.contains_key(*key)).count()),
        b"INCR" => {
            let value = model.get(&words[1]).map_or(Ok("0"), |value| std::str::from_utf8(value));
            let number: Option<i64> = value.ok().and_then(|text| text.parse().ok());
            match number.filter(|number| value.is_ok_and(|text| text == number.to_string())) {
                None => b"-ERR value is not an integer or out of range\r\n".to_vec(),
                Some(number) => {
                    let next = (number + 1).to_string(); // values are too short to overflow
                    model.insert(words[1].clone(), next.clone().into_bytes());
                    format!(":{next}\r\n").into_bytes()
                }
            }
        }
        b"MGET" => {
            let values = keys().flat_map(|key| bulk(model.get(key)));
            format!("*{}\r\n", words.len() - 1).into_bytes().into_iter().chain(values).collect()
        }
        b"ECHO" => bulk(words.get(1)),
        b"PING" => b"+PONG\r\n".to_vec(),
        b"DBSIZE" => count(model.len()),
        other => unreachable!("{other:?}"),
    }
}
