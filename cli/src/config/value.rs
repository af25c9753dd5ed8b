//! The conversion of a key and its value in a configuration file into the arguments that say the same.

use std::ffi::OsString;

use clap::{Arg, ArgAction};
use toml::de::DeValue;

/// The arguments that set a flag to a value of the file. The error says what is wrong with the type of the value; whether
/// the value itself is valid, the flag's own parser decides.
pub(super) fn arguments(arg: &Arg, key: &str, value: &DeValue<'_>) -> Result<Vec<OsString>, String> {
    let flag = format!("--{key}");
    if !arg.get_action().takes_values() {
        return switch(arg, value).map(|count| vec![flag.into(); count]);
    }
    let takes_none = arg.get_num_args().is_some_and(|count| count.min_values() == 0);
    match value {
        DeValue::Boolean(true) if takes_none => Ok(vec![flag.into()]),
        DeValue::Boolean(false) if takes_none => Ok(Vec::new()),
        DeValue::Array(values) => {
            let values: Result<Vec<_>, _> = values.iter().map(|value| scalar(value.get_ref())).collect();
            several(arg, flag, values?)
        }
        value => scalar(value).map(|value| vec![format!("{flag}={value}").into()]),
    }
}

/// How often a flag without a value is given.
fn switch(arg: &Arg, value: &DeValue<'_>) -> Result<usize, String> {
    match (value, arg.get_action()) {
        (DeValue::Boolean(value), _) => Ok(usize::from(*value)),
        (DeValue::Integer(count), ArgAction::Count) => match count.to_string().parse::<u8>() {
            Ok(count) => Ok(count.into()),
            Err(_) => Err(format!("`{count}` is too large; write a number from 0 to 255")),
        },
        (_, ArgAction::Count) => Err(format!("{}; write a number from 0 to 255", kind(value))),
        _ => Err(format!("{}; write true or false", kind(value))),
    }
}

/// The arguments for a flag that has several values.
fn several(arg: &Arg, flag: String, values: Vec<String>) -> Result<Vec<OsString>, String> {
    let joined = arg.get_value_delimiter();
    let repeated = matches!(arg.get_action(), ArgAction::Append);
    let at_once = arg.get_num_args().is_some_and(|count| count.max_values() > 1);
    match (values.as_slice(), joined) {
        ([], _) if repeated || joined.is_some() => Ok(Vec::new()),
        ([value], _) => Ok(vec![format!("{flag}={value}").into()]),
        (values, Some(delimiter)) => {
            Ok(vec![format!("{flag}={}", values.join(&delimiter.to_string())).into()])
        }
        (values, None) if repeated => {
            Ok(values.iter().map(|value| format!("{flag}={value}").into()).collect())
        }
        (_, None) if at_once => Ok([flag].into_iter().chain(values).map(OsString::from).collect()),
        (values, None) => Err(format!("it is an array of {} values; write one value", values.len())),
    }
}

/// The text of a value, as the flag takes it.
fn scalar(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) => Ok(number.to_string()), // with its prefix, so that 0o660 isn't taken for another number
        DeValue::Float(number) => Ok(number.as_str().to_owned()),
        DeValue::Boolean(value) => Ok(value.to_string()),
        DeValue::Datetime(time) => Ok(time.to_string()),
        DeValue::Array(_) | DeValue::Table(_) => Err(format!("{}; write a text or a number", kind(value))),
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "it is a text",
        DeValue::Integer(_) | DeValue::Float(_) => "it is a number",
        DeValue::Boolean(_) => "it is true or false",
        DeValue::Datetime(_) => "it is a date or a time",
        DeValue::Array(_) => "it is an array",
        DeValue::Table(_) => "it is a table",
    }
}

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::*;

    /// The arguments, joined by spaces.
    fn of(arg: Arg, value: &str) -> Result<String, String> {
        let text = format!("key = {value}");
        let table = DeTable::parse(&text).unwrap();
        let value = table.get_ref().get("key").unwrap().get_ref();
        let command = clap::Command::new("").arg(arg.id("key").long("key"));
        let mut command = command;
        command.build();
        let arg = command.get_arguments().next().unwrap();
        let arguments = arguments(arg, "key", value)?;
        Ok(arguments.iter().map(|argument| argument.to_str().unwrap()).collect::<Vec<_>>().join(" "))
    }

    fn arg() -> Arg {
        Arg::new("key")
    }

    #[test]
    fn a_value_becomes_the_text_that_the_flag_takes() {
        for (value, expected) in [
            ("'30s'", "--key=30s"),
            ("4", "--key=4"),
            ("-4", "--key=-4"),
            ("10_000", "--key=10000"),
            ("0o660", "--key=0o660"),
            ("1.5", "--key=1.5"),
            ("true", "--key=true"),
            ("1979-05-27", "--key=1979-05-27"),
            ("['one']", "--key=one"),
            ("''", "--key="),
            ("'a b'", "--key=a b"),
        ] {
            assert_eq!(of(arg(), value).as_deref(), Ok(expected), "{value}");
        }
        for (value, expected) in [
            ("['a', 'b']", "it is an array of 2 values; write one value"),
            ("[]", "it is an array of 0 values; write one value"),
            ("[['a']]", "it is an array; write a text or a number"),
            ("{ a = 1 }", "it is a table; write a text or a number"),
        ] {
            assert_eq!(of(arg(), value).unwrap_err(), expected, "{value}");
        }
    }

    #[test]
    fn a_flag_without_a_value_is_true_or_false() {
        let switch = || arg().action(ArgAction::SetTrue);
        assert_eq!(of(switch(), "true").as_deref(), Ok("--key"));
        assert_eq!(of(switch(), "false").as_deref(), Ok(""));
        assert_eq!(of(switch(), "'true'").unwrap_err(), "it is a text; write true or false");
        assert_eq!(of(switch(), "1").unwrap_err(), "it is a number; write true or false");
        let count = || arg().action(ArgAction::Count);
        assert_eq!(of(count(), "2").as_deref(), Ok("--key --key"));
        assert!(of(count(), "256").unwrap_err().contains("from 0 to 255"));
        assert!(of(count(), "'2'").unwrap_err().contains("from 0 to 255"));
        let optional = || arg().num_args(0..=1).default_missing_value("x");
        assert_eq!(of(optional(), "true").as_deref(), Ok("--key"));
        assert_eq!(of(optional(), "'b'").as_deref(), Ok("--key=b"));
    }

    #[test]
    fn a_flag_that_takes_several_values_takes_an_array() {
        let repeated = || arg().action(ArgAction::Append);
        assert_eq!(of(repeated(), "['a', 2]").as_deref(), Ok("--key=a --key=2"));
        assert_eq!(of(repeated(), "'a'").as_deref(), Ok("--key=a"));
        assert_eq!(of(repeated(), "[]").as_deref(), Ok(""));
        assert_eq!(of(repeated().value_delimiter(','), "['a', 'b']").as_deref(), Ok("--key=a,b"));
        assert_eq!(of(arg().num_args(2), "['a', 'b']").as_deref(), Ok("--key a b"));
    }
}
