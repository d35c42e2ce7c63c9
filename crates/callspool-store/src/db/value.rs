//! Values in, columns out: 64-bit integers, booleans and text are all that either database is given.

use std::borrow::Cow;

use callspool_domain::audio::AudioFormat;
use callspool_domain::id::{AccountSid, CallSid, JobId, RecordingSid, Source};
use callspool_domain::line;
use callspool_domain::recording::{CopyState, Place, ProviderStatus, StartedBy, Status, Track};
use callspool_domain::{Code, Lane, Service, StepName, StepState, Timestamp};
use serde::de::DeserializeOwned;
use tokio_postgres::types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked};

use crate::{Error, Result};

/// One parameter of a statement.
#[derive(Debug, Clone)]
pub(crate) enum Value<'a> {
    Null,
    Int(i64),
    Bool(bool),
    Text(Cow<'a, str>),
}

/// The parameters of a statement, in order.
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::db::Value::from($value)),*] };
}
pub(crate) use params;

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u16> for Value<'_> {
    fn from(value: u16) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<u32> for Value<'_> {
    fn from(value: u32) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<u64> for Value<'_> {
    /// Lengths and counts; none comes near the end of the range.
    fn from(value: u64) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<Timestamp> for Value<'_> {
    fn from(value: Timestamp) -> Self {
        Self::Int(value.as_micros())
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(Cow::Borrowed(value))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(Cow::Borrowed(value))
    }
}

impl From<String> for Value<'_> {
    fn from(value: String) -> Self {
        Self::Text(Cow::Owned(value))
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        use rusqlite::types::{ToSqlOutput, ValueRef};
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(value) => ValueRef::Integer(*value),
            Self::Bool(value) => ValueRef::Integer(i64::from(*value)),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
        }))
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(value) => value.to_sql_checked(ty, out),
            Self::Bool(value) => value.to_sql_checked(ty, out),
            Self::Text(value) => value.as_ref().to_sql_checked(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// One column of a row.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Column<'a> {
    Null,
    Int(i64),
    Bool(bool),
    Text(&'a str),
}

/// What a column can be read as; `None` where its content makes no sense as that.
pub(crate) trait FromColumn: Sized {
    fn from_column(column: Column<'_>) -> Option<Self>;
}

/// A row of a result, on either database.
pub(crate) struct Row<'a> {
    pub(super) table: &'static str,
    pub(super) source: RowSource<'a>,
}

pub(super) enum RowSource<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

impl Row<'_> {
    /// Reads the column at `index`.
    pub(crate) fn get<T: FromColumn>(&self, index: usize) -> Result<T> {
        self.column(index).and_then(T::from_column).ok_or_else(|| self.inconsistent(index))
    }

    fn column(&self, index: usize) -> Option<Column<'_>> {
        match &self.source {
            RowSource::Sqlite(row) => match row.get_ref(index).ok()? {
                rusqlite::types::ValueRef::Null => Some(Column::Null),
                rusqlite::types::ValueRef::Integer(value) => Some(Column::Int(value)),
                rusqlite::types::ValueRef::Text(bytes) => std::str::from_utf8(bytes).ok().map(Column::Text),
                _ => None,
            },
            RowSource::Postgres(row) => {
                let column = match *row.columns().get(index)?.type_() {
                    Type::INT8 => row.try_get::<_, Option<i64>>(index).ok()?.map(Column::Int),
                    Type::INT4 => row.try_get::<_, Option<i32>>(index).ok()?.map(|value| Column::Int(value.into())),
                    Type::BOOL => row.try_get::<_, Option<bool>>(index).ok()?.map(Column::Bool),
                    _ => row.try_get::<_, Option<&str>>(index).ok()?.map(Column::Text),
                };
                Some(column.unwrap_or(Column::Null))
            }
        }
    }

    fn inconsistent(&self, index: usize) -> Error {
        let column = match &self.source {
            RowSource::Sqlite(row) => row.as_ref().column_name(index).unwrap_or_default().to_owned(),
            RowSource::Postgres(row) => row.columns().get(index).map(|c| c.name().to_owned()).unwrap_or_default(),
        };
        let row = match self.column(0) {
            Some(Column::Text(text)) => text.to_owned(),
            Some(Column::Int(value)) => value.to_string(),
            _ => String::new(),
        };
        Error::Inconsistent { table: self.table, column, row }
    }
}

impl<T: FromColumn> FromColumn for Option<T> {
    fn from_column(column: Column<'_>) -> Option<Self> {
        match column {
            Column::Null => Some(None),
            column => T::from_column(column).map(Some),
        }
    }
}

impl FromColumn for i64 {
    fn from_column(column: Column<'_>) -> Option<Self> {
        if let Column::Int(value) = column { Some(value) } else { None }
    }
}

impl FromColumn for bool {
    fn from_column(column: Column<'_>) -> Option<Self> {
        match column {
            Column::Bool(value) => Some(value),
            Column::Int(value) => Some(value != 0),
            _ => None,
        }
    }
}

impl FromColumn for String {
    fn from_column(column: Column<'_>) -> Option<Self> {
        if let Column::Text(text) = column { Some(text.to_owned()) } else { None }
    }
}

impl FromColumn for Timestamp {
    fn from_column(column: Column<'_>) -> Option<Self> {
        i64::from_column(column).map(Self::from_micros)
    }
}

/// A column that holds JSON.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromColumn for Json<T> {
    fn from_column(column: Column<'_>) -> Option<Self> {
        if let Column::Text(text) = column { serde_json::from_str(text).ok().map(Self) } else { None }
    }
}

macro_rules! integers {
    ($($type:ty),*) => { $(
        impl FromColumn for $type {
            fn from_column(column: Column<'_>) -> Option<Self> {
                i64::from_column(column).and_then(|value| Self::try_from(value).ok())
            }
        }
    )* };
}
integers!(u16, u32, u64);

/// Ids and words: what they parse from and read as.
macro_rules! texts {
    ($($type:ty: $parse:expr;)*) => { $(
        impl $crate::db::FromColumn for $type {
            fn from_column(column: $crate::db::value::Column<'_>) -> Option<Self> {
                let parse: fn(&str) -> Option<Self> = $parse;
                if let $crate::db::value::Column::Text(text) = column { parse(text) } else { None }
            }
        }

        impl<'a> From<&'a $type> for $crate::db::Value<'a> {
            fn from(value: &'a $type) -> Self {
                Self::from(value.as_str())
            }
        }
    )* };
}
texts! {
    AccountSid: |text| Self::parse(text).ok();
    CallSid: |text| Self::parse(text).ok();
    RecordingSid: |text| Self::parse(text).ok();
    JobId: |text| Self::parse(text).ok();
    Source: |text| Some(Self::clean(text));
    ProviderStatus: |text| Some(Self::new(text));
}

/// Closed sets of stored names.
macro_rules! names {
    ($($type:ty),* $(,)?) => { $(
        impl $crate::db::FromColumn for $type {
            fn from_column(column: $crate::db::value::Column<'_>) -> Option<Self> {
                if let $crate::db::value::Column::Text(text) = column { Self::parse(text) } else { None }
            }
        }

        impl From<$type> for $crate::db::Value<'_> {
            fn from(value: $type) -> Self {
                Self::from(value.as_str())
            }
        }
    )* };
}
pub(crate) use names;
names!(
    Status,
    Track,
    Place,
    CopyState,
    StepName,
    StepState,
    Lane,
    Service,
    Code,
    line::Event,
    line::LineState,
    StartedBy,
    AudioFormat
);
