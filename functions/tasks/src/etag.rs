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

/// The tags of a condition, without their quotes.
enum Tags {
    /// `*`: what exists has one of them.
    Any,
    Listed(Vec<String>),
}

impl Tags {
    /// Reads a header. Only quoted tags are kept: what is none cannot be equal to one. A tag of ours has no comma.
    fn of(headers: &HeaderMap, name: HeaderName, compare: Comparison) -> Option<Self> {
        let mut sent = headers.get_all(name).iter().peekable();
        sent.peek()?;
        let sent: Vec<_> = sent.filter_map(|value| value.to_str().ok()).collect();
        let tags = sent.iter().flat_map(|value| value.split(',')).map(str::trim);
        if tags.clone().eq(["*"]) {
            return Some(Self::Any);
        }
        let opaque = tags.filter_map(|tag| {
            let tag = match compare {
                Comparison::Strong => tag,
                Comparison::Weak => tag.strip_prefix("W/").unwrap_or(tag),
            };
            tag.strip_prefix('"')?.strip_suffix('"').map(str::to_owned)
        });
        Some(Self::Listed(opaque.collect()))
    }
}

/// Whether a weak tag is equal to a strong one (RFC 9110 §8.8.3.2).
enum Comparison {
    Strong,
    Weak,
}

/// The header `If-Match` of a change: the task must have one of these tags, or nothing is changed.
pub struct IfMatch(Option<Tags>);

impl IfMatch {
    /// Returns the tags, or `None` if every task will do: without the header, or with `*`.
    pub fn tags(&self) -> Option<&[String]> {
        match &self.0 {
            Some(Tags::Listed(tags)) => Some(tags),
            Some(Tags::Any) | None => None,
        }
    }

    /// True if a task with this tag may be changed.
    pub fn allows(&self, tag: &str) -> bool {
        self.tags().is_none_or(|tags| tags.iter().any(|sent| sent == tag))
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        Ok(Self(Tags::of(&parts.headers, header::IF_MATCH, Comparison::Strong)))
    }
}

/// The header `If-None-Match` of a read: what has one of these tags is not sent again.
pub struct IfNoneMatch(Option<Tags>);

impl IfNoneMatch {
    /// True if the header was sent.
    pub fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// Returns the tags, or `None` for `*`.
    pub fn tags(&self) -> Option<&[String]> {
        match &self.0 {
            Some(Tags::Listed(tags)) => Some(tags),
            Some(Tags::Any) | None => None,
        }
    }

    /// True if the client has what has this tag.
    pub fn has(&self, tag: &str) -> bool {
        match &self.0 {
            Some(Tags::Any) => true,
            Some(Tags::Listed(tags)) => tags.iter().any(|sent| sent == tag),
            None => false,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        Ok(Self(Tags::of(&parts.headers, header::IF_NONE_MATCH, Comparison::Weak)))
    }
}
