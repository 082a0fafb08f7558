//! An event as it is posted to a webhook.

use selfmx_domain::{EmailId, EventId, Tag};
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use crate::emails::TagView;
use crate::timestamp::Timestamp;

/// An event as it is posted to a webhook: `{id, type, created_at, data}`.
#[derive(Clone, Debug)]
pub struct EventPost<'a> {
    /// The event: the same in every attempt.
    pub id: EventId,
    /// The kind, such as `delivered`; `test` where nothing happened.
    pub kind: &'a str,
    /// When it happened.
    pub created_at: OffsetDateTime,
    /// What it happened to; absent in a test.
    pub data: Option<PostedData<'a>>,
}

/// What an event happened to.
#[derive(Clone, Debug)]
pub struct PostedData<'a> {
    /// The email.
    pub email_id: EmailId,
    /// Whom it is from.
    pub from: &'a str,
    /// Whom it is to, by its header.
    pub to: &'a [String],
    /// Its subject.
    pub subject: &'a str,
    /// Its tags.
    pub tags: &'a [Tag],
    /// Its metadata.
    pub metadata: &'a Value,
    /// To whose mail it happened; absent where it is about all of it.
    pub recipient: Option<&'a str>,
    /// What the relay said; of a complaint its type.
    pub response: Option<&'a str>,
    /// `hard` or `soft`.
    pub bounce_type: Option<&'a str>,
    /// The code of the reply by which it bounced.
    pub bounce_code: Option<i16>,
    /// Where the link leads that was followed.
    pub url: Option<&'a str>,
}

impl EventPost<'_> {
    /// The octets that are posted, which are what is signed.
    ///
    /// # Errors
    ///
    /// Where the time is beyond the year 9999.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let data = self.data.as_ref().map(|data| DataView::of(data, self));
        serde_json::to_vec(&View { id: self.id, kind: self.kind, created_at: Timestamp(self.created_at), data: data.unwrap_or_default() })
    }
}

#[derive(Serialize)]
struct View<'a> {
    id: EventId,
    #[serde(rename = "type")]
    kind: &'a str,
    created_at: Timestamp,
    data: DataView<'a>,
}

#[derive(Default, Serialize)]
struct DataView<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    email_id: Option<EmailId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<Vec<TagView<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    smtp_response: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bounce_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bounce_code: Option<i16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bounce_message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    feedback_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
}

impl<'a> DataView<'a> {
    fn of(data: &PostedData<'a>, event: &EventPost<'a>) -> Self {
        let is = |kind: &str| event.kind == kind;
        Self {
            email_id: Some(data.email_id),
            from: Some(data.from),
            to: Some(data.to),
            subject: Some(data.subject),
            tags: Some(data.tags.iter().map(TagView::from).collect()),
            metadata: Some(data.metadata),
            recipient: data.recipient,
            delivered_at: is("delivered").then_some(Timestamp(event.created_at)),
            smtp_response: data.response.filter(|_| !is("bounced") && !is("complained")),
            bounce_type: data.bounce_type.filter(|_| is("bounced")),
            bounce_code: data.bounce_code.filter(|_| is("bounced")),
            bounce_message: data.response.filter(|_| is("bounced")),
            feedback_type: data.response.filter(|_| is("complained")),
            url: data.url,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    fn posted(kind: &str) -> Value {
        let (to, tags, metadata) = (["a@y.example".to_owned()], ["welcome".parse().unwrap()], json!({"order": "7"}));
        let data = PostedData {
            email_id: "msg_01h455vb4pex5vsknk084sn02q".parse().unwrap(),
            from: "shop@x.example",
            to: &to,
            subject: "Grüße",
            tags: &tags,
            metadata: &metadata,
            recipient: Some("a@y.example"),
            response: Some("250 2.0.0 ok"),
            bounce_type: Some("hard"),
            bounce_code: Some(550),
            url: (kind == "clicked").then_some("https://a.example/"),
        };
        let id = "evt_01h455vb4pex5vsknk084sn02q".parse().unwrap();
        let post = EventPost { id, kind, created_at: datetime!(2026-01-02 03:04:05.678 UTC), data: (kind != "test").then_some(data) };
        serde_json::from_slice(&post.to_json().unwrap()).unwrap()
    }

    #[test]
    fn each_kind_says_what_belongs_to_it() {
        let base = json!({"email_id": "msg_01h455vb4pex5vsknk084sn02q", "from": "shop@x.example", "to": ["a@y.example"], "subject": "Grüße",
            "tags": ["welcome"], "metadata": {"order": "7"}, "recipient": "a@y.example"});
        for (kind, more) in [
            ("delivered", json!({"delivered_at": "2026-01-02T03:04:05.678Z", "smtp_response": "250 2.0.0 ok"})),
            ("bounced", json!({"bounce_type": "hard", "bounce_code": 550, "bounce_message": "250 2.0.0 ok"})),
            ("complained", json!({"feedback_type": "250 2.0.0 ok"})),
            ("clicked", json!({"smtp_response": "250 2.0.0 ok", "url": "https://a.example/"})),
        ] {
            let mut data = base.clone();
            data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let expected =
                json!({"id": "evt_01h455vb4pex5vsknk084sn02q", "type": kind, "created_at": "2026-01-02T03:04:05.678Z", "data": data});
            assert_eq!(posted(kind), expected);
        }
        assert_eq!(posted("test")["data"], json!({}));
    }
}
