//! The named values in a GGUF header.
//!
//! Lists stay where they are in the file, their lengths checked, and are read when asked for: a
//! vocabulary of a quarter million tokens costs nothing to those who only want the shape.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::Fault;
use super::cursor::Cursor;

/// The longest key; GGUF's own bound.
const KEY_BYTES_MAX: usize = 65_535;
/// The longest single string: the largest chat templates are a hundredth of it.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// A value's type, by its number in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    Text,
    List,
    U64,
    I64,
    F64,
}

impl Kind {
    /// By number in the file.
    const ALL: [Self; 13] = [
        Self::U8,
        Self::I8,
        Self::U16,
        Self::I16,
        Self::U32,
        Self::I32,
        Self::F32,
        Self::Bool,
        Self::Text,
        Self::List,
        Self::U64,
        Self::I64,
        Self::F64,
    ];

    fn read(cursor: &mut Cursor<'_>, what: &str) -> Result<Self, Fault> {
        let number = cursor.u32(what)?;
        let kind = Self::ALL.get(number as usize).copied();
        kind.ok_or_else(|| cursor.fault(&format!("{what} has the unknown type {number}")))
    }

    /// The fewest bytes that one takes.
    fn bytes_min(self) -> usize {
        match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::Text | Self::U64 | Self::I64 | Self::F64 => 8,
            Self::List => 12,
        }
    }
}

/// A named value.
#[derive(Clone, Debug)]
enum Value {
    Whole(i128),
    Real(f64),
    Bool(bool),
    Text(String),
    List(List),
}

impl Value {
    fn kind(&self) -> &'static str {
        match self {
            Self::Whole(_) => "a whole number",
            Self::Real(_) => "a real number",
            Self::Bool(_) => "a truth value",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
        }
    }
}

/// Values of one type, still in the file.
#[derive(Clone, Debug)]
pub(crate) struct List {
    kind: Kind,
    count: usize,
    bytes: Bytes,
}

impl List {
    fn read_all<T>(
        &self,
        key: &str,
        mut one: impl FnMut(&mut Cursor<'_>) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let mut cursor = Cursor::new(&self.bytes);
        (0..self.count).map(|_| one(&mut cursor)).collect::<Result<_, _>>().map_err(|fault| {
            match fault {
                Fault::Corrupt(what) => Fault::Corrupt(format!("`{key}`, {what} of the list")),
                unknown => unknown,
            }
        })
    }

    fn texts(&self, key: &str) -> Result<Vec<String>, Fault> {
        match self.kind {
            Kind::Text => self
                .read_all(key, |cursor| cursor.text("a string", TEXT_BYTES_MAX).map(str::to_owned)),
            _ => Err(mistyped(key, "a list of strings", "another list")),
        }
    }

    fn numbers(&self, key: &str) -> Result<Vec<f64>, Fault> {
        let kind = self.kind;
        self.read_all(key, |cursor| match read_value(cursor, kind, "a number")? {
            Value::Whole(number) => Ok(number as f64),
            Value::Real(number) => Ok(number),
            other => Err(mistyped(key, "a list of numbers", other.kind())),
        })
    }
}

fn mistyped(key: &str, expected: &str, found: &str) -> Fault {
    Fault::Corrupt(format!("`{key}` is {found}, expected {expected}"))
}

/// All named values of a file.
#[derive(Clone, Debug)]
pub(crate) struct Metadata(BTreeMap<String, Value>);

impl Metadata {
    pub(super) fn read(cursor: &mut Cursor<'_>, entries: u64) -> Result<Self, Fault> {
        let mut values = BTreeMap::new();
        for _ in 0..entries {
            let key = cursor.text("a key", KEY_BYTES_MAX)?.to_owned();
            let kind = Kind::read(cursor, &key)?;
            let value = read_value(cursor, kind, &key)?;
            if values.contains_key(&key) {
                return Err(Fault::Corrupt(format!("`{key}` is there twice")));
            }
            values.insert(key, value);
        }
        Ok(Self(values))
    }

    fn get<'a, T>(
        &'a self,
        key: &str,
        expected: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let Some(value) = self.0.get(key) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| mistyped(key, expected, value.kind()))
    }

    /// A string.
    pub(crate) fn text(&self, key: &str) -> Result<Option<&str>, Fault> {
        self.get(key, "a string", |value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// A count.
    pub(crate) fn number(&self, key: &str) -> Result<Option<usize>, Fault> {
        self.get(key, "a count", |value| match value {
            Value::Whole(number) => usize::try_from(*number).ok(),
            _ => None,
        })
    }

    /// A token's id.
    pub(crate) fn token(&self, key: &str) -> Result<Option<u32>, Fault> {
        self.get(key, "a token", |value| match value {
            Value::Whole(number) => u32::try_from(*number).ok(),
            _ => None,
        })
    }

    /// A real number.
    pub(crate) fn real(&self, key: &str) -> Result<Option<f32>, Fault> {
        self.get(key, "a real number", |value| match value {
            Value::Real(number) => Some(*number as f32),
            Value::Whole(number) => Some(*number as f32),
            _ => None,
        })
    }

    /// A truth value.
    pub(crate) fn truth(&self, key: &str) -> Result<Option<bool>, Fault> {
        self.get(key, "a truth value", |value| match value {
            Value::Bool(truth) => Some(*truth),
            _ => None,
        })
    }

    fn list(&self, key: &str) -> Result<Option<&List>, Fault> {
        self.get(key, "a list", |value| match value {
            Value::List(list) => Some(list),
            _ => None,
        })
    }

    /// A list of strings.
    pub(crate) fn texts(&self, key: &str) -> Result<Option<Vec<String>>, Fault> {
        self.list(key)?.map(|list| list.texts(key)).transpose()
    }

    /// A list of numbers.
    pub(crate) fn numbers(&self, key: &str) -> Result<Option<Vec<f64>>, Fault> {
        self.list(key)?.map(|list| list.numbers(key)).transpose()
    }
}

/// What must be there.
pub(crate) fn required<T>(key: &str, value: Result<Option<T>, Fault>) -> Result<T, Fault> {
    value?.ok_or_else(|| Fault::Corrupt(format!("`{key}` is missing from its metadata")))
}

fn read_value(cursor: &mut Cursor<'_>, kind: Kind, key: &str) -> Result<Value, Fault> {
    Ok(match kind {
        Kind::U8 => Value::Whole(u8::from_le_bytes(cursor.array(key)?).into()),
        Kind::I8 => Value::Whole(i8::from_le_bytes(cursor.array(key)?).into()),
        Kind::U16 => Value::Whole(u16::from_le_bytes(cursor.array(key)?).into()),
        Kind::I16 => Value::Whole(i16::from_le_bytes(cursor.array(key)?).into()),
        Kind::U32 => Value::Whole(cursor.u32(key)?.into()),
        Kind::I32 => Value::Whole(i32::from_le_bytes(cursor.array(key)?).into()),
        Kind::U64 => Value::Whole(cursor.u64(key)?.into()),
        Kind::I64 => Value::Whole(i64::from_le_bytes(cursor.array(key)?).into()),
        Kind::F32 => Value::Real(f32::from_le_bytes(cursor.array(key)?).into()),
        Kind::F64 => Value::Real(f64::from_le_bytes(cursor.array(key)?)),
        Kind::Bool => Value::Bool(u8::from_le_bytes(cursor.array(key)?) != 0),
        Kind::Text => Value::Text(cursor.text(key, TEXT_BYTES_MAX)?.to_owned()),
        Kind::List => Value::List(read_list(cursor, key)?),
    })
}

/// Steps over a list, whose values must be in the file.
fn read_list(cursor: &mut Cursor<'_>, key: &str) -> Result<List, Fault> {
    let kind = Kind::read(cursor, key)?;
    if kind == Kind::List {
        // No model has one, and a file could nest them as deep as it is long.
        let known = "lists of numbers and of strings".into();
        return Err(Fault::Unknown { what: format!("lists within the list `{key}`"), known });
    }
    let most = cursor.left() / kind.bytes_min();
    let count = cursor.count(&format!("values in `{key}`"), most as u64)? as usize;
    let first = cursor.position();
    if kind == Kind::Text {
        for _ in 0..count {
            cursor.skip_text(key, TEXT_BYTES_MAX)?;
        }
    } else {
        cursor.take(key, count * kind.bytes_min())?;
    }
    Ok(List { kind, count, bytes: cursor.since(first) })
}
