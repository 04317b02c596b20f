//! Invalid fields, as a 422 lists them: all at once, in FastAPI's shape.

use std::{borrow::Cow, ops::ControlFlow};

use deserr::{
    DeserializeError, Deserr, ErrorKind, IntoValue, MergeWithError, Value, ValueKind, ValuePointerRef,
    take_cf_content,
};
use serde::Serialize;

/// The invalid fields of a body or a query. [`deserr`] collects them, because it goes on after the first.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct ValidationErrors(Vec<FieldError>);

#[derive(Clone, Debug, Serialize)]
struct FieldError {
    loc: Vec<Loc>,
    msg: Cow<'static, str>,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum Loc {
    Name(Cow<'static, str>),
    Index(usize),
}

/// The rule that a value violates: a stable name for programs (pydantic's, if it has one) and a sentence for people.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The name, such as `string_too_long`.
    pub kind: &'static str,
    /// The sentence, which says what the value should be.
    pub msg: Cow<'static, str>,
}

impl Violation {
    /// Makes a violation of the rule `kind`.
    pub fn new(kind: &'static str, msg: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, msg: msg.into() }
    }
}

impl Violation {
    /// Makes the errors of the value at this place.
    pub fn at(self, at: ValuePointerRef) -> ValidationErrors {
        take_cf_content(ValidationErrors::merge(None, self, at))
    }
}

impl ValidationErrors {
    /// Names one invalid query parameter.
    pub fn parameter(name: &'static str, violation: Violation) -> Self {
        Self::one("query", name, violation)
    }

    /// Names one invalid header.
    pub fn header(name: &'static str, violation: Violation) -> Self {
        Self::one("header", name, violation)
    }

    /// Names one invalid field of the body.
    pub fn field(name: &'static str, violation: Violation) -> Self {
        Self::one("body", name, violation)
    }

    fn one(part: &'static str, name: &'static str, Violation { kind, msg }: Violation) -> Self {
        Self(vec![FieldError { loc: vec![Loc::Name(part.into()), Loc::Name(name.into())], msg, kind }])
    }

    /// Puts "body" or "query" before each location.
    pub(crate) fn within(mut self, part: &'static str) -> Self {
        for field in &mut self.0 {
            field.loc.insert(0, Loc::Name(part.into()));
        }
        self
    }

    fn and(this: Option<Self>, field: FieldError) -> ControlFlow<Self, Self> {
        let mut fields = this.unwrap_or(Self(Vec::new()));
        fields.0.push(field);
        ControlFlow::Continue(fields)
    }
}

impl MergeWithError<ValidationErrors> for ValidationErrors {
    fn merge(this: Option<Self>, other: Self, _: ValuePointerRef) -> ControlFlow<Self, Self> {
        let mut fields = this.unwrap_or(Self(Vec::new()));
        fields.0.extend(other.0);
        ControlFlow::Continue(fields)
    }
}

impl MergeWithError<Violation> for ValidationErrors {
    fn merge(
        this: Option<Self>,
        Violation { kind, msg }: Violation,
        at: ValuePointerRef,
    ) -> ControlFlow<Self, Self> {
        Self::and(this, FieldError { loc: location(at), msg, kind })
    }
}

impl DeserializeError for ValidationErrors {
    fn error<V: IntoValue>(
        this: Option<Self>,
        error: ErrorKind<V>,
        at: ValuePointerRef,
    ) -> ControlFlow<Self, Self> {
        let mut loc = location(at);
        let (kind, msg) = match error {
            ErrorKind::MissingField { field } => {
                loc.push(Loc::Name(field.to_owned().into()));
                ("missing", "Field required")
            }
            ErrorKind::IncorrectValueKind { accepted, .. } => wrong_type(accepted),
            ErrorKind::UnknownKey { .. }
            | ErrorKind::UnknownValue { .. }
            | ErrorKind::BadSequenceLen { .. }
            | ErrorKind::Unexpected { .. } => ("value_error", "Value is not valid"),
        };
        Self::and(this, FieldError { loc, msg: msg.into(), kind })
    }
}

fn wrong_type(accepted: &[ValueKind]) -> (&'static str, &'static str) {
    match accepted {
        [ValueKind::Boolean] => ("bool_type", "Input should be a valid boolean"),
        [ValueKind::Map] => ("model_attributes_type", "Input should be a valid object"),
        [ValueKind::String, ValueKind::Sequence] => {
            ("string_type", "Input should be a string or a list of strings")
        }
        _ => ("string_type", "Input should be a valid string"),
    }
}

fn location(at: ValuePointerRef) -> Vec<Loc> {
    match at {
        ValuePointerRef::Origin => Vec::new(),
        ValuePointerRef::Key { key, prev } => {
            let mut loc = location(*prev);
            loc.push(Loc::Name(key.to_owned().into()));
            loc
        }
        ValuePointerRef::Index { index, prev } => {
            let mut loc = location(*prev);
            loc.push(Loc::Index(index));
            loc
        }
    }
}

/// A field of a partial update: `None` if it was not sent. Null is a value.
pub struct Patch<T>(pub Option<T>);

impl<T> Default for Patch<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Deserr<ValidationErrors>> Deserr<ValidationErrors> for Patch<T> {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        at: ValuePointerRef,
    ) -> Result<Self, ValidationErrors> {
        T::deserialize_from_value(value, at).map(|value| Self(Some(value)))
    }
}

#[cfg(test)]
mod tests {
    use deserr::Deserr;
    use proptest::{collection::vec, prelude::*};
    use serde_json::Value;

    use super::*;

    /// One field of each kind that the API has or may get.
    #[derive(Deserr)]
    #[deserr(error = ValidationErrors)]
    #[allow(dead_code, reason = "the test only reads it")]
    struct Form {
        text: String,
        flag: bool,
        #[deserr(try_from(String) = short -> Violation)]
        ruled: String,
        #[deserr(default)]
        optional: Option<String>,
        #[deserr(default)]
        each: Vec<String>,
        #[deserr(default)]
        inner: Option<Inner>,
    }

    #[derive(Deserr)]
    #[deserr(error = ValidationErrors)]
    #[allow(dead_code, reason = "the test only reads it")]
    struct Inner {
        text: String,
        deep: Vec<Option<bool>>,
    }

    fn short(sent: String) -> Result<String, Violation> {
        if sent.len() < 3 { Ok(sent) } else { Err(Violation::new("string_too_long", "Text should be short")) }
    }

    /// Any JSON, sometimes with the names of a [`Form`].
    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,5}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 8, |inner| {
            let name = "text|flag|ruled|optional|each|inner|deep|\\PC{0,3}";
            prop_oneof![
                vec(inner.clone(), 0..5).prop_map(Value::from),
                vec((name, inner), 0..8).prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_invalid_field_is_listed_with_its_location_in_fastapis_shape(sent in any_json()) {
            if let Err(invalid) = deserr::deserialize::<Form, _, ValidationErrors>(sent.clone()) {
                let fields = serde_json::to_value(invalid.within("body")).unwrap();
                let fields = fields.as_array().unwrap();
                prop_assert!(!fields.is_empty());
                for field in fields {
                    prop_assert_eq!(field.as_object().unwrap().len(), 3);
                    let says = |name: &str| field[name].as_str().is_some_and(|text| !text.is_empty());
                    prop_assert!(says("msg") && says("type"), "{}", field);
                    let (part, path) = field["loc"].as_array().unwrap().split_first().unwrap();
                    prop_assert_eq!(part, "body");
                    let path = if field["type"] == "missing" { &path[..path.len() - 1] } else { path };
                    let mut at = Some(&sent);
                    for step in path {
                        at = match step {
                            Value::String(name) => at.and_then(|at| at.get(name)),
                            step => at.and_then(|at| at.get(step.as_u64().unwrap() as usize)),
                        };
                    }
                    prop_assert!(at.is_some(), "{} is not in {}", field["loc"], sent);
                }
            }
        }
    }
}
