//! Accepting: all of an email or nothing of it, and nothing that was said gets lost or broken.

use selfmx_auth::{Permission, needs};
use selfmx_domain::{EmailStatus, EventKind, Metadata, Mode, Priority, RecipientKind, RecipientState, Tag, TemplateUsed};
use selfmx_testing::SeededEntropy;

use crate::place::{Place, accept, acceptance, admin, draft, permit, principal};

#[tokio::test]
async fn one_commit_writes_the_email_its_message_recipients_work_and_first_event() {
    let place = Place::new().await;
    let id = place
        .accept(|parts| {
            parts.cc = vec!["Carol <cc@y.example>".parse().unwrap()];
            parts.bcc = vec!["bcc@y.example".parse().unwrap()];
        })
        .await;
    assert_eq!(place.rows().await, "1 1 3 1 1");
    assert_eq!(place.ask("SELECT count(DISTINCT xmin::text) FROM (SELECT xmin FROM emails UNION ALL SELECT xmin FROM messages UNION ALL SELECT xmin FROM recipients UNION ALL SELECT xmin FROM queue UNION ALL SELECT xmin FROM events) AS every").await, "1");
    let email = place.store.email_find(&admin().permit().unwrap(), id).await.unwrap().unwrap();
    assert_eq!(email.summary.status, EmailStatus::Queued);
    let told: Vec<_> = email.recipients.iter().map(|told| (told.kind, told.address.to_string(), told.state.clone())).collect();
    let waiting = |kind, address: &str| (kind, address.to_owned(), RecipientState::accepted());
    assert_eq!(
        told,
        [
            waiting(RecipientKind::To, "to@y.example"),
            waiting(RecipientKind::Cc, "cc@y.example"),
            waiting(RecipientKind::Bcc, "bcc@y.example")
        ]
    );
    assert_eq!((email.events.len(), email.template), (1, None));
    assert_eq!((email.events[0].kind, email.events[0].attempt), (EventKind::Queued, 0));
}

#[tokio::test]
async fn what_was_asked_for_reads_back_word_for_word() {
    let place = Place::new().await;
    let entropy = SeededEntropy::new(1);
    let metadata =
        Metadata::new([("order".to_owned(), "a \"quoted\"\n{line} \\ \u{1}é🎉".to_owned()), ("empty".to_owned(), String::new())].into());
    let given = draft(|parts| {
        parts.from = "\"Doe, \\\"J\\\" <x>\" <from@bücher.example>".parse().ok();
        parts.to = vec!["用户@例子.example".parse().unwrap()];
        parts.reply_to = vec!["R, S <r@x.example>".parse().unwrap(), "s@x.example".parse().unwrap()];
        parts.subject = Some("Grüße 🎉 '; DROP TABLE emails; --".parse().unwrap());
        parts.text = Some("tab\t cr\r\n bell\u{7} \u{fffe}\u{10ffff}".to_owned());
        parts.html = Some("<p>{}\\x00 NULL</p>".to_owned());
        parts.tags = vec!["plain".parse().unwrap(), Tag::with_value("kind", "welcome").unwrap()];
        parts.metadata = metadata.unwrap();
        parts.priority = Priority::Low;
    });
    let test_key = principal(None, Permission::All, Mode::Test);
    let mut asked = acceptance(&test_key.permit().unwrap(), given.clone());
    let used = TemplateUsed { id: "tmpl_01h455vb4pex5vsknk084sn02q".parse().unwrap(), version: 7 };
    asked.consented = test_key.permit().unwrap().consent(given.clone(), Some(used)).unwrap();
    asked.message = (0..1000).map(|_| u8::try_from(entropy.below(256)).unwrap()).collect();
    let message = asked.message.clone();
    let accepted = place.store.email_accept(asked).await.unwrap();
    let permit = admin().permit::<needs::LogsRead>().unwrap();
    let email = place.store.email_find(&permit, accepted.id).await.unwrap().unwrap();
    assert_eq!(&email.summary.from, given.from());
    assert_eq!(
        email.summary.recipients.iter().map(|(kind, mailbox)| (*kind, mailbox)).collect::<Vec<_>>(),
        given.recipients().iter().collect::<Vec<_>>()
    );
    assert_eq!(email.reply_to, given.reply_to());
    assert_eq!(email.summary.subject, given.subject().as_str());
    assert_eq!((email.text.as_deref(), email.html.as_deref()), (given.body().text(), given.body().html()));
    assert_eq!(email.summary.tags, given.tags());
    assert_eq!(&email.metadata, given.metadata());
    assert_eq!(email.template, Some(used));
    assert_eq!((email.priority, email.summary.mode), (Priority::Low, Mode::Test));
    assert_eq!((email.summary.api_key_id, email.summary.created_at), (test_key.key().id, accepted.created_at));
    assert_eq!(place.store.email_raw(&permit, accepted.id).await.unwrap(), Some(Some(message)));
}

/// The constraint fires after the last row of the answer: who stops reading there reports a mail as accepted that is not.
#[tokio::test]
async fn an_error_at_the_very_end_of_the_commit_is_an_error_and_nothing_is_there() {
    let place = Place::new().await;
    place.refuse_commits().await;
    let refused = place.store.email_accept(acceptance(&permit(), draft(|_| {}))).await;
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(place.rows().await, "0 0 0 0 0");
    place.database.execute("DROP TRIGGER refuse ON events").await;
    place.accept(|_| {}).await;
    assert_eq!(place.rows().await, "1 1 1 1 1");
}

#[tokio::test]
async fn the_same_id_twice_is_refused_and_changes_nothing() {
    let place = Place::new().await;
    let first = acceptance(&permit(), draft(|_| {}));
    let mut second = acceptance(&permit(), draft(|parts| parts.to.push("other@y.example".parse().unwrap())));
    second.id = first.id;
    place.store.email_accept(first).await.unwrap();
    let refused = place.store.email_accept(second).await;
    assert!(refused.as_ref().is_err_and(|error| !error.is_transient()), "{refused:?}");
    assert_eq!(place.rows().await, "1 1 1 1 1");
}

#[tokio::test]
async fn times_are_the_database_s() {
    let place = Place::new().await;
    let accepted = place.store.email_accept(acceptance(&permit(), draft(|_| {}))).await.unwrap();
    let same = format!("SELECT count(*) FROM emails WHERE created_at = '{}'", accepted.created_at);
    assert_eq!(place.ask(&same).await, "1");
    assert_eq!(place.ask("SELECT count(*) FROM emails JOIN events ON email_id = emails.id JOIN queue USING (email_id) WHERE at = created_at AND due_at = created_at").await, "1");
}

#[tokio::test]
async fn fifty_recipients_keep_their_order() {
    let place = Place::new().await;
    let to: Vec<_> = (0..50).map(|n| format!("r{}@y.example", 49 - n).parse().unwrap()).collect();
    let id = accept(&place.store, &permit(), |parts| parts.to = to.clone()).await;
    let email = place.store.email_find(&admin().permit().unwrap(), id).await.unwrap().unwrap();
    assert_eq!(email.summary.recipients.into_iter().map(|(_, mailbox)| mailbox).collect::<Vec<_>>(), to);
}
