//! Entity tags and the conditions that clients make of them (RFC 9110 §8.8.3 and §13.1).
//!
//! The tag of a task is its revision. The tag of a list is the user's id and revision, because one URL is the list of every
//! user. All are strong: the same tag is the same JSON.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, header, request::Parts},
};
use shared::Error;

/// Makes the header `ETag` of a tag.
pub fn etag(tag: &str) -> (HeaderName, String) {
    (header::ETAG, format!("\"{tag}\""))
}

/// The demand that a client makes of a tag.
enum Condition {
    /// The header was not sent.
    None,
    /// `*`: what exists has one of the tags.
    Any,
    /// The tags, without their quotes.
    Tags(Vec<String>),
}

/// Whether a weak tag is equal to a strong one (RFC 9110 §8.8.3.2).
#[derive(Clone, Copy, PartialEq)]
enum Comparison {
    Strong,
    Weak,
}

impl Condition {
    /// Reads a header. Only quoted tags are kept: what is none cannot be equal to one. A tag of ours has no comma.
    fn of(headers: &HeaderMap, name: HeaderName, comparison: Comparison) -> Self {
        if !headers.contains_key(&name) {
            return Self::None;
        }
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        let sent: Vec<_> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
        if sent == ["*"] {
            return Self::Any;
        }
        let opaque = |tag: &str| {
            let weak = tag.strip_prefix("W/").filter(|_| comparison == Comparison::Weak);
            weak.unwrap_or(tag).strip_prefix('"')?.strip_suffix('"').map(str::to_owned)
        };
        Self::Tags(sent.into_iter().filter_map(opaque).collect())
    }

    fn tags(&self) -> Option<&[String]> {
        match self {
            Self::Tags(tags) => Some(tags),
            Self::None | Self::Any => None,
        }
    }
}

/// The header `If-Match` of a change: the task must have one of these tags, or nothing is changed.
pub struct IfMatch(Condition);

impl IfMatch {
    /// Returns the tags, or `None` if every task will do: without the header, or with `*`.
    pub fn tags(&self) -> Option<&[String]> {
        self.0.tags()
    }

    /// True if a task with this tag may be changed.
    pub fn allows(&self, tag: &str) -> bool {
        self.tags().is_none_or(|tags| tags.iter().any(|sent| sent == tag))
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        Ok(Self(Condition::of(&parts.headers, header::IF_MATCH, Comparison::Strong)))
    }
}

/// The header `If-None-Match` of a read: what has one of these tags is not sent again.
pub struct IfNoneMatch(Condition);

impl IfNoneMatch {
    /// True if the header was sent.
    pub fn is_some(&self) -> bool {
        !matches!(self.0, Condition::None)
    }

    /// Returns the tags, or `None` for `*`.
    pub fn tags(&self) -> Option<&[String]> {
        self.0.tags()
    }

    /// True if the client has what has this tag.
    pub fn has(&self, tag: &str) -> bool {
        match &self.0 {
            Condition::None => false,
            Condition::Any => true,
            Condition::Tags(tags) => tags.iter().any(|sent| sent == tag),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        Ok(Self(Condition::of(&parts.headers, header::IF_NONE_MATCH, Comparison::Weak)))
    }
}
