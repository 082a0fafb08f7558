//! Templates: each change is a version, names are a tenant's, and nothing is seen of another's.

use selfmx_auth::{Permission, Permit, Principal, needs};
use selfmx_domain::{AuditAction, PageLimit, PageRequest, PageStart, Template, TemplateContent, TemplateKey};
use selfmx_storage::{Changed, Error, TemplateHead};

use crate::erase::{erase_all, settle_deletions};
use crate::place::{Place, admin};
use crate::tenants::platform;

fn content(name: &str, subject: &str) -> TemplateContent {
    TemplateContent {
        name: name.parse().unwrap(),
        subject: subject.to_owned(),
        html: Some("<b>{{x}}</b>".to_owned()),
        text: None,
        from: Some("a@x.example".to_owned()),
        reply_to: vec!["r@x.example".to_owned()],
        strict: true,
    }
}

fn writer(principal: &Principal) -> Permit<needs::TemplatesWrite> {
    principal.permit().unwrap()
}

fn reader(principal: &Principal) -> Permit<needs::TemplatesRead> {
    principal.permit().unwrap()
}

/// A key of a tenant of its own.
async fn theirs_of(place: &Place) -> Principal {
    place.keyed(Some(place.tenant().await), Permission::All).await
}

async fn made(place: &Place, by: &Principal, name: &str, partials: &[&str]) -> Template {
    let partials: Vec<String> = partials.iter().map(|name| (*name).to_owned()).collect();
    place.store.template_create(&writer(by), &content(name, "s"), &partials).await.unwrap()
}

async fn changed(place: &Place, by: &Principal, old: &Template, new: &TemplateContent) -> Result<Option<Changed>, Error> {
    place.store.template_update(&writer(by), old, new, &[], AuditAction::TemplateUpdate).await
}

async fn to(place: &Place, by: &Principal, old: &Template, new: &TemplateContent) -> Template {
    match changed(place, by, old, new).await.unwrap().unwrap() {
        Changed::To(template) => *template,
        Changed::Meanwhile => panic!("nobody else changes it"),
    }
}

fn names(heads: Vec<TemplateHead>) -> Vec<(String, u32)> {
    let mut names: Vec<_> = heads.into_iter().map(|head| (head.name, head.version)).collect();
    names.sort();
    names
}

#[tokio::test]
async fn each_change_is_a_version_of_its_own_and_the_earlier_ones_stay() {
    let place = Place::new().await;
    let by = admin();
    let first = made(&place, &by, "welcome", &[]).await;
    assert_eq!((first.present.version, &first.present.content), (1, &content("welcome", "s")));
    let second = to(&place, &by, &first, &content("hello", "t")).await;
    assert_eq!(second.present.version, 2);
    assert_eq!(place.store.template_find(&reader(&by), first.id).await.unwrap(), Some(second.clone()));
    assert_eq!(place.store.template_version(&reader(&by), first.id, 1).await.unwrap().unwrap().content, content("welcome", "s"));
    assert!(place.store.template_version(&reader(&by), first.id, 3).await.unwrap().is_none());
    // Whoever looked at an earlier version changes nothing.
    assert!(matches!(changed(&place, &by, &first, &content("late", "u")).await, Ok(Some(Changed::Meanwhile))));
    let versions = place.store.template_versions(&reader(&by), first.id).await.unwrap();
    assert_eq!(versions.iter().map(|(version, name, _)| (*version, name.as_str())).collect::<Vec<_>>(), [(2, "hello"), (1, "welcome")]);
    let noted =
        "SELECT string_agg(concat_ws(' ', action, before, after), E'\\n' ORDER BY id) FROM audit_logs WHERE action LIKE 'template%'";
    let expected = "template.create {\"name\": \"welcome\", \"version\": 1}\n\
        template.update {\"name\": \"welcome\", \"version\": 1} {\"name\": \"hello\", \"version\": 2}";
    assert_eq!(place.ask(noted).await, expected);
    assert!(place.store.template_delete(&writer(&by), first.id).await.unwrap());
    assert!(!place.store.template_delete(&writer(&by), first.id).await.unwrap());
    assert!(matches!(changed(&place, &by, &second, &content("late", "u")).await, Ok(None)));
    assert_eq!(place.ask("SELECT count(*) FROM template_versions").await, "0");
}

#[tokio::test]
async fn the_last_hundred_versions_are_kept() {
    let place = Place::new().await;
    let by = admin();
    let mut template = made(&place, &by, "t", &[]).await;
    for number in 2..=103 {
        template = to(&place, &by, &template, &content("t", &number.to_string())).await;
    }
    let versions = place.store.template_versions(&reader(&by), template.id).await.unwrap();
    assert_eq!((versions.len(), versions[0].0, versions[99].0), (100, 103, 4));
}

#[tokio::test]
async fn a_name_is_one_template_s_in_its_tenant() {
    let place = Place::new().await;
    let (one, other) = (theirs_of(&place).await, theirs_of(&place).await);
    made(&place, &one, "welcome", &[]).await;
    let theirs = made(&place, &other, "welcome", &[]).await;
    let again = place.store.template_create(&writer(&one), &content("welcome", "s"), &[]).await;
    assert!(matches!(again, Err(Error::NameTaken)), "{again:?}");
    let second = made(&place, &other, "second", &[]).await;
    let renamed = changed(&place, &other, &second, &content("welcome", "s")).await;
    assert!(matches!(renamed, Err(Error::NameTaken)), "{renamed:?}");
    assert_eq!(place.store.template_find(&reader(&other), second.id).await.unwrap(), Some(second.clone()));
    // By its own tenant a template is found, changed and deleted, and by no other.
    assert!(place.store.template_find(&reader(&one), theirs.id).await.unwrap().is_none());
    assert!(place.store.template_versions(&reader(&one), theirs.id).await.unwrap().is_empty());
    assert!(place.store.template_version(&reader(&one), theirs.id, 1).await.unwrap().is_none());
    assert!(changed(&place, &one, &theirs, &content("mine", "s")).await.unwrap().is_none());
    assert!(!place.store.template_delete(&writer(&one), theirs.id).await.unwrap());
    assert!(place.store.template_reach(&reader(&one), &TemplateKey::Id(theirs.id)).await.unwrap().is_empty());
    let head = TemplateHead { id: theirs.id, name: "welcome".to_owned(), version: 1 };
    assert!(place.store.template_contents(&reader(&one), std::slice::from_ref(&head)).await.unwrap().is_empty());
    assert_eq!(place.store.template_contents(&reader(&other), &[head]).await.unwrap().len(), 1);
    let page = PageRequest { start: PageStart::First, limit: PageLimit::default() };
    let listed = place.store.template_list(&reader(&other), page).await.unwrap();
    assert_eq!(listed.items.iter().map(|item| item.name.as_str()).collect::<Vec<_>>(), ["second", "welcome"]);
    let page = PageRequest { start: PageStart::After(second.id), limit: PageLimit::default() };
    assert_eq!(place.store.template_list(&reader(&other), page).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn a_template_reaches_its_partials_and_theirs_in_its_own_tenant() {
    let place = Place::new().await;
    let (one, other) = (admin(), theirs_of(&place).await);
    let root = made(&place, &one, "root", &["a", "b", "absent"]).await;
    made(&place, &one, "a", &["c"]).await;
    made(&place, &one, "b", &["c", "root"]).await;
    let leaf = made(&place, &one, "c", &[]).await;
    made(&place, &one, "apart", &["root"]).await;
    made(&place, &other, "absent", &[]).await;
    // What another tenant's of the same name takes in is nobody else's.
    made(&place, &other, "c", &["apart"]).await;
    to(&place, &one, &leaf, &content("c", "new")).await;
    let expected = [("a", 1), ("b", 1), ("c", 2), ("root", 1)].map(|(name, version)| (name.to_owned(), version));
    for key in [TemplateKey::Id(root.id), TemplateKey::Name("root".to_owned())] {
        assert_eq!(names(place.store.template_reach(&reader(&one), &key).await.unwrap()), expected);
    }
    let named = place.store.template_reach_of_names(&reader(&one), &["a".to_owned(), "absent".to_owned()]).await.unwrap();
    assert_eq!(names(named), [("a".to_owned(), 1), ("c".to_owned(), 2)]);
    assert!(place.store.template_reach(&reader(&other), &TemplateKey::Name("root".to_owned())).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_key_that_was_revoked_meanwhile_changes_nothing() {
    let place = Place::new().await;
    let maker = place.keyed(None, Permission::TemplatesWrite).await;
    let template = made(&place, &maker, "t", &[]).await;
    place.store.key_revoke(&admin().permit().unwrap(), maker.key().id).await.unwrap();
    let refused = [
        place.store.template_create(&writer(&maker), &content("u", "s"), &[]).await.map(|_| ()),
        changed(&place, &maker, &template, &content("u", "s")).await.map(|_| ()),
        place.store.template_delete(&writer(&maker), template.id).await.map(|_| ()),
    ];
    assert!(refused.iter().all(|refused| matches!(refused, Err(Error::Denied(_)))), "{refused:?}");
    assert_eq!(place.ask("SELECT string_agg(concat_ws(' ', name, version), ',') FROM templates").await, "t 1");
}

#[tokio::test]
async fn a_deleted_tenant_s_templates_are_erased_and_nobody_else_s() {
    let place = Place::new().await;
    let (gone, kept) = (theirs_of(&place).await, theirs_of(&place).await);
    for number in 0..45 {
        made(&place, &gone, &format!("t{number}"), &[]).await;
    }
    made(&place, &kept, "t", &[]).await;
    assert!(place.store.tenant_delete(&platform(), gone.tenant().id).await.unwrap());
    settle_deletions(&place).await;
    assert!(erase_all(&place.store).await > 3);
    assert_eq!(place.ask("SELECT concat_ws(' ', (SELECT count(*) FROM templates), (SELECT count(*) FROM template_versions))").await, "1 1");
}
