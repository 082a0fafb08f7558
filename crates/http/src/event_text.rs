//! The text of a stream of events: `text/event-stream` (WHATWG HTML, "Server-sent events").

use bytes::Bytes;
use selfmx_domain::{EventFilter, EventPosition, FollowedEvents};
use selfmx_wire::LogView;

use crate::Failure;

/// A comment: what is alive says so.
pub(crate) const BEAT: Bytes = Bytes::from_static(b":\n\n");

/// How a stream begins: how long to wait before it is opened again where it broke off, in milliseconds, and from where it would then go on.
pub(crate) fn opening(at: EventPosition) -> Bytes {
    format!("retry: 1000\n{}", passed(at)).into()
}

/// The events that `filter` lets through, each with the place after it; at the end the place after those that it did not.
pub(crate) fn text(followed: &FollowedEvents, filter: &EventFilter) -> Result<Bytes, Failure> {
    let mut text = String::new();
    let mut is_told = true;
    for (place, entry) in &followed.entries {
        is_told = filter.fits(entry);
        if is_told {
            let json = serde_json::to_string(&LogView::from(entry)).map_err(Failure::Unwritable)?;
            text.push_str(&format!("id: {place}\ndata: {json}\n\n"));
        }
    }
    if let (false, Some((place, _))) = (is_told, followed.entries.last()) {
        text.push_str(&passed(*place));
    }
    Ok(text.into())
}

/// A place without an event: a reader keeps it, and has nothing to show.
fn passed(at: EventPosition) -> String {
    format!("id: {at}\n\n")
}

#[cfg(test)]
mod tests {
    use selfmx_domain::{EventId, EventKind, LogEntry, LogEvent, LogId};
    use time::macros::datetime;

    use super::*;

    fn event(xact: u64, kind: EventKind) -> (EventPosition, LogEntry) {
        let id: EventId = "evt_01h455vb4pex5vsknk084sn02q".parse().unwrap();
        let entry = LogEntry {
            id: LogId::Event(id),
            at: datetime!(2026-01-02 03:04 UTC),
            event: LogEvent::Email(kind),
            email: Some("msg_01h455vb4pex5vsknk084sn02q".parse().unwrap()),
            to: None,
            response: Some("250 a\u{2028}b".to_owned()),
            api_key_id: None,
            attempt: Some(0),
            duration_ms: None,
            url: None,
            target: None,
            refusal: None,
        };
        (EventPosition { epoch: 1, xact, id: id.as_uuid() }, entry)
    }

    #[test]
    fn each_event_is_a_block_with_its_place_and_what_is_left_out_has_a_place_alone() {
        let entries = vec![event(1, EventKind::Queued), event(2, EventKind::Delivered), event(3, EventKind::Queued)];
        let followed = FollowedEvents { entries, has_more: false };
        let shown = |filter: EventFilter| String::from_utf8(text(&followed, &filter).unwrap().to_vec()).unwrap();
        let all = shown(EventFilter::default());
        let blocks: Vec<Vec<&str>> = all.split_terminator("\n\n").map(|block| block.lines().collect()).collect();
        assert_eq!(blocks.len(), 3);
        for ((place, _), block) in followed.entries.iter().zip(&blocks) {
            assert_eq!((block.len(), block[0]), (2, format!("id: {place}").as_str()));
            let data: serde_json::Value = serde_json::from_str(block[1].strip_prefix("data: ").unwrap()).unwrap();
            assert_eq!(data["id"], "evt_01h455vb4pex5vsknk084sn02q");
        }
        let delivered = shown(EventFilter { kind: Some(EventKind::Delivered), ..EventFilter::default() });
        assert_eq!(delivered, format!("{}\n\nid: {}\n\n", blocks[1].join("\n"), followed.entries[2].0));
        let none = shown(EventFilter { kind: Some(EventKind::Bounced), ..EventFilter::default() });
        assert_eq!(none, format!("id: {}\n\n", followed.entries[2].0));
    }
}
