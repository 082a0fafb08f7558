//! API keys: who reaches which, what a revocation does, and that the first key is made once.

use std::time::Duration;

use selfmx_auth::{ApiKey, Authority, Grant, KeySource, Origin, Permission, PermissionSet, Principal, Secret, Wanted};
use selfmx_domain::{
    ApiKeyId, Clock, Mode, Name, PageLimit, PageRequest, PageStart, RateLimit, TemplateId, TenantId, TenantProfile, Total,
};
use selfmx_storage::{Error, RevokedKeys, WhichUses};
use selfmx_testing::{OsEntropy, SeededEntropy, SystemClock};
use time::OffsetDateTime;

use crate::place::{Place, admin, new_tenant, principal, system, tenant_admin};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn wanted(tenant: Option<TenantId>) -> Wanted {
    Wanted { tenant, ..Wanted::new(name("made"), Permission::Send.into()) }
}

fn origin() -> Origin {
    Origin::new("192.0.2.9".parse().unwrap(), Some("test/1"), "req_1")
}

async fn tenant(place: &Place) -> TenantId {
    place.store.tenant_create(&admin().platform_permit().unwrap(), &TenantProfile::named(name("tenant")).into()).await.unwrap().id
}

async fn make(place: &Place, maker: &Principal, wanted: Wanted) -> (Secret, ApiKey) {
    let secret = Secret::generate(Mode::Live, &OsEntropy);
    let key = place.store.key_create(&maker.permit().unwrap(), wanted, &secret).await.unwrap();
    (secret, key)
}

async fn listed(place: &Place, reader: &Principal) -> Vec<ApiKeyId> {
    let page = place.store.key_list(&reader.permit().unwrap(), RevokedKeys::Hidden, None).await.unwrap();
    page.items.into_iter().map(|key| key.id).collect()
}

#[tokio::test]
async fn a_key_reads_back_as_it_was_granted() {
    let place = Place::new().await;
    let tenant = tenant(&place).await;
    let expires_at = OffsetDateTime::from_unix_timestamp(4_000_000_000).unwrap();
    let permissions: PermissionSet = Permission::ALL.iter().copied().collect();
    let asked = Wanted {
        tenant: Some(tenant),
        mode: Some(Mode::Test),
        expires_at: Some(expires_at),
        allowed_ips: Some(vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::7".parse().unwrap()]),
        allowed_senders: Some(vec!["@bücher.example".parse().unwrap(), "Shop@x.example".parse().unwrap()]),
        allowed_templates: Some(vec![TemplateId::generate(&SystemClock, &OsEntropy)]),
        rate_limit: Some(RateLimit::per_minute(0)),
        ..Wanted::new(name("Größe 🎉 'x'"), permissions)
    };
    let expected = Authority {
        tenant: Some(tenant),
        permissions,
        mode: Mode::Test,
        expires_at: Some(expires_at),
        allowed_ips: asked.allowed_ips.clone().into(),
        allowed_senders: asked.allowed_senders.clone().into(),
        allowed_templates: asked.allowed_templates.clone().into(),
        rate_limit: asked.rate_limit,
    };
    let (secret, key) = make(&place, &admin(), asked).await;
    let found = place.store.key_find_by_digest(secret.digest()).await.unwrap().unwrap();
    assert!(found.stored.digests.matches(&secret.digest(), found.at));
    for key in [&key, &found.stored.key] {
        assert_eq!((key.name.as_str(), &key.authority, key.enabled), ("Größe 🎉 'x'", &expected, true));
        assert_eq!((key.hint.as_deref(), key.source, key.created_by), (Some(secret.hint()), KeySource::Created, Some(ApiKeyId::DEFAULT)));
        assert_eq!((key.revoked_at, &key.last_use, key.id), (None, &None, found.stored.key.id));
    }
    // What was there at the look-up and at the making is the database's time.
    assert!(found.at >= key.created_at && found.at - key.created_at < Duration::from_secs(60));
}

#[tokio::test]
async fn a_key_that_is_in_no_row_is_looked_for_as_long_as_one_that_is() {
    let place = Place::new().await;
    let unknown = Secret::generate(Mode::Live, &OsEntropy).digest();
    assert!(place.store.key_find_by_digest(unknown).await.unwrap().is_none(), "there is no key at all");
    let wanted = || Wanted::new("made".parse().unwrap(), Permission::Send.into());
    let (first, oldest) = make(&place, &admin(), wanted()).await;
    let (second, newest) = make(&place, &admin(), wanted()).await;
    let found = place.store.key_find_by_digest(unknown).await.unwrap().unwrap();
    assert_eq!(found.stored.key.id, oldest.id, "another in its stead");
    assert!(!found.stored.digests.matches(&unknown, found.at), "which nobody takes for it");
    for (secret, id) in [(&first, oldest.id), (&second, newest.id)] {
        let found = place.store.key_find_by_digest(secret.digest()).await.unwrap().unwrap();
        assert!(found.stored.key.id == id && found.stored.digests.matches(&secret.digest(), found.at));
    }
}

#[tokio::test]
async fn a_deleted_tenant_s_key_is_not_live() {
    let place = Place::new().await;
    let wanted = Wanted::new("made".parse().unwrap(), Permission::Send.into());
    let (secret, _) = make(&place, &admin(), wanted).await;
    let live = async || {
        let found = place.store.key_find_by_digest(secret.digest()).await.unwrap().unwrap();
        found.stored.key.is_live(found.at)
    };
    assert!(live().await);
    place.database.execute("UPDATE tenants SET deleted_at = now()").await;
    assert!(!live().await);
}

#[tokio::test]
async fn nothing_of_a_secret_is_kept_but_its_digest_and_its_hint() {
    let place = Place::new().await;
    let (secret, _) = make(&place, &admin(), wanted(None)).await;
    let row = place.ask("SELECT k::text FROM api_keys k").await;
    assert!(row.contains(secret.hint()));
    let known = secret.reveal();
    for start in 0..known.len() - 8 {
        assert!(!row.contains(&known[start..start + 8]), "{start}");
    }
}

#[tokio::test]
async fn each_reach_sees_and_revokes_its_own_keys_and_no_others() {
    let place = Place::new().await;
    let (mine, theirs) = (tenant(&place).await, tenant(&place).await);
    let platform_key = make(&place, &admin(), wanted(None)).await.1.id;
    let my_key = make(&place, &admin(), wanted(Some(mine))).await.1.id;
    let their_key = make(&place, &place.keyed(Some(theirs), Permission::All).await, wanted(None)).await.1.id;
    place.database.execute("DELETE FROM api_keys WHERE name = 'maker'").await;
    let mut everything = vec![platform_key, my_key, their_key];
    everything.sort_by(|a, b| b.cmp(a));
    let readers = [
        (admin(), everything.clone()),
        (principal(None, Permission::ApiKeysRead, Mode::Live), vec![platform_key]),
        (tenant_admin(mine), vec![my_key]),
        (tenant_admin(theirs), vec![their_key]),
        (tenant_admin(new_tenant()), vec![]),
    ];
    for (reader, reached) in readers {
        assert_eq!(listed(&place, &reader).await, reached, "{reader:?}");
        for id in everything.iter().copied().chain([ApiKeyId::DEFAULT, ApiKeyId::generate(&SystemClock, &OsEntropy)]) {
            let found = place.store.key_find(&reader.permit().unwrap(), id).await.unwrap();
            assert_eq!(found.map(|key| key.id), reached.contains(&id).then_some(id), "{reader:?} {id}");
        }
    }
    let writers = [
        (place.keyed(Some(mine), Permission::All).await, [false, true, false]),
        (place.keyed(Some(theirs), Permission::ApiKeysWrite).await, [false, false, true]),
        (place.keyed(None, Permission::ApiKeysWrite).await, [true, false, false]),
        (admin(), [true, true, true]),
    ];
    for (writer, reached) in writers {
        place.database.execute("UPDATE api_keys SET revoked_at = NULL").await;
        for (id, expected) in [platform_key, my_key, their_key].into_iter().zip(reached) {
            let revoked = place.store.key_revoke(&writer.permit().unwrap(), id).await.unwrap();
            assert_eq!(revoked, expected, "{writer:?}");
            let seen = place.ask(&format!("SELECT revoked_at IS NOT NULL FROM api_keys WHERE id = '{}'", id.as_uuid())).await;
            assert_eq!(seen == "t", expected, "{writer:?}");
        }
    }
}

#[tokio::test]
async fn a_revoked_key_is_hidden_still_found_and_keeps_its_first_instant() {
    let place = Place::new().await;
    let (secret, key) = make(&place, &admin(), wanted(None)).await;
    let permit = admin().permit().unwrap();
    assert!(place.store.key_revoke(&permit, key.id).await.unwrap());
    let first = place.ask("SELECT revoked_at FROM api_keys").await;
    assert!(place.store.key_revoke(&permit, key.id).await.unwrap());
    assert_eq!(place.ask("SELECT revoked_at FROM api_keys").await, first);
    assert_eq!(listed(&place, &admin()).await, []);
    let all = place.store.key_list(&admin().permit().unwrap(), RevokedKeys::Included, None).await.unwrap();
    assert_eq!(all.items.iter().map(|key| key.id).collect::<Vec<_>>(), [key.id]);
    let found = place.store.key_find_by_digest(secret.digest()).await.unwrap().unwrap();
    assert!(!found.stored.key.is_live(found.at));
}

#[tokio::test]
async fn the_operator_on_the_machine_makes_lists_and_revokes_whatever_key_and_is_noted() {
    let place = Place::new().await;
    let mine = tenant(&place).await;
    let made = async |tenant| {
        let grant = Grant::by_system(&system(), wanted(tenant), SystemClock.now()).unwrap();
        place.store.key_create_by_system(&system(), &grant, &Secret::generate(Mode::Live, &OsEntropy)).await
    };
    assert!(matches!(made(Some(new_tenant())).await, Err(Error::NoSuchTenant)));
    let (platform_key, my_key) = (made(None).await.unwrap(), made(Some(mine)).await.unwrap());
    assert_eq!((my_key.authority.tenant, my_key.created_by), (Some(mine), None));
    let listed = async |revoked, start| {
        let page = place.store.key_list_by_system(&system(), revoked, PageRequest { start, limit: PageLimit::MOST }).await.unwrap();
        page.items.into_iter().map(|key| key.id).collect::<Vec<_>>()
    };
    let (newer, older) = (my_key.id.max(platform_key.id), my_key.id.min(platform_key.id));
    assert_eq!(listed(RevokedKeys::Hidden, PageStart::First).await, [newer, older]);
    assert_eq!(listed(RevokedKeys::Hidden, PageStart::After(newer)).await, [older]);
    assert!(place.store.key_revoke_by_system(&system(), my_key.id).await.unwrap());
    assert!(!place.store.key_revoke_by_system(&system(), ApiKeyId::generate(&SystemClock, &OsEntropy)).await.unwrap());
    assert_eq!(listed(RevokedKeys::Hidden, PageStart::First).await, [platform_key.id]);
    assert_eq!(listed(RevokedKeys::Included, PageStart::First).await, [newer, older]);
    let noted = "SELECT string_agg(action, ' ' ORDER BY action) FROM audit_logs WHERE actor_key_id IS NULL AND refusal IS NULL";
    assert_eq!(place.ask(noted).await, "api_key.create api_key.create api_key.revoke");
}

#[tokio::test]
async fn a_key_for_a_tenant_that_is_not_there_is_refused_by_name() {
    let place = Place::new().await;
    let secret = Secret::generate(Mode::Live, &OsEntropy);
    let refused = place.store.key_create(&admin().permit().unwrap(), wanted(Some(new_tenant())), &secret).await;
    assert!(matches!(refused, Err(Error::NoSuchTenant)), "{refused:?}");
    let (secret, _) = make(&place, &admin(), wanted(None)).await;
    let again = place.store.key_create(&admin().permit().unwrap(), wanted(None), &secret).await;
    assert!(again.is_err_and(|error| !error.is_transient()), "a digest is stored once");
}

#[tokio::test]
async fn a_row_that_no_version_wrote_is_an_error_not_an_absence() {
    let place = Place::new().await;
    let (secret, _) = make(&place, &admin(), wanted(None)).await;
    place.database.execute("UPDATE api_keys SET permissions = '{send,fly}'").await;
    assert!(matches!(place.store.key_find_by_digest(secret.digest()).await, Err(Error::Unreadable("api_keys.permissions"))));
}

#[tokio::test]
async fn pages_of_keys_are_the_naive_list_cut_up() {
    let place = Place::new().await;
    let fill = "INSERT INTO api_keys (id, name, hint, digest, permissions, mode, revoked_at) \
         SELECT gen_random_uuid(), 'k', 'hint', sha256(n::text::bytea), '{send}', 'live', CASE WHEN n % 3 = 0 THEN now() END FROM generate_series(1, 47) n";
    place.database.execute(fill).await;
    let naive = place.database.query_texts("SELECT id FROM api_keys WHERE revoked_at IS NULL ORDER BY id DESC").await;
    let permit = admin().permit().unwrap();
    let limit = PageLimit::new(7).unwrap();
    let mut walked = Vec::new();
    let mut start = PageStart::First;
    loop {
        let page = place.store.key_list(&permit, RevokedKeys::Hidden, Some(PageRequest { start, limit })).await.unwrap();
        assert_eq!((page.items.len() == 7 || !page.has_more, page.total), (true, None));
        walked.extend(page.items.iter().map(|key| key.id.as_uuid().to_string()));
        match page.items.last() {
            Some(last) if page.has_more => start = PageStart::After(last.id),
            _ => break,
        }
    }
    assert_eq!(walked, naive);
    for number in 1..=6 {
        let request = PageRequest { start: PageStart::Number(number), limit };
        let page = place.store.key_list(&permit, RevokedKeys::Hidden, Some(request)).await.unwrap();
        let expected: Vec<_> = naive.chunks(7).nth(usize::try_from(number).unwrap() - 1).unwrap_or_default().to_vec();
        assert_eq!(page.items.iter().map(|key| key.id.as_uuid().to_string()).collect::<Vec<_>>(), expected);
        assert_eq!((page.total, page.has_more), (Some(Total::Exactly(32)), number < 5));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_servers_that_start_at_once_make_one_first_key() {
    let place = Place::new().await;
    let mut starts = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store = place.other_store();
        starts.spawn(async move {
            let secret = Secret::generate(Mode::Live, &OsEntropy);
            let grant = Grant::first(&system(), "first".parse().unwrap());
            store.key_create_first(&system(), &grant, &secret).await.unwrap()
        });
    }
    let made: Vec<_> = starts.join_all().await.into_iter().flatten().collect();
    assert_eq!(made.len(), 1);
    assert!(made[0].authority.is_platform_admin());
    assert_eq!(place.ask("SELECT count(*) FROM api_keys").await, "1");
}

#[tokio::test]
async fn no_first_key_is_made_where_there_ever_was_one() {
    let place = Place::new().await;
    let (_, key) = make(&place, &admin(), wanted(None)).await;
    place.store.key_revoke(&admin().permit().unwrap(), key.id).await.unwrap();
    let secret = Secret::generate(Mode::Live, &OsEntropy);
    let grant = Grant::first(&system(), name("first"));
    assert!(place.store.key_create_first(&system(), &grant, &secret).await.unwrap().is_none());
}

#[tokio::test]
async fn uses_are_written_behind_and_never_go_back_in_time() {
    let place = Place::new().await;
    let (_, one) = make(&place, &admin(), wanted(None)).await;
    let (_, other) = make(&place, &admin(), wanted(None)).await;
    let at = |seconds: i64| OffsetDateTime::from_unix_timestamp(1_700_000_000 + seconds).unwrap();
    let used = async || {
        let all = place.store.key_list(&admin().permit().unwrap(), RevokedKeys::Hidden, None).await.unwrap().items;
        let of = |id| all.iter().find(|key| key.id == id).unwrap().last_use.clone().map(|last| last.at);
        (of(one.id), of(other.id))
    };
    place.store.key_used(one.id, &origin(), at(5));
    place.store.key_used(one.id, &origin(), at(9));
    place.store.key_used(one.id, &origin(), at(7));
    place.store.key_used(ApiKeyId::DEFAULT, &origin(), at(3));
    place.store.key_used(ApiKeyId::generate(&SystemClock, &OsEntropy), &origin(), at(3));
    assert_eq!(used().await, (None, None));
    place.store.key_use_write(WhichUses::All).await.unwrap();
    assert_eq!(used().await, (Some(at(9)), None));
    assert_eq!(place.store.environment_key_last_use().map(|last| last.at), Some(at(3)));
    place.store.key_used(one.id, &origin(), at(1));
    place.store.key_used(other.id, &origin(), at(1));
    place.store.key_use_write(WhichUses::All).await.unwrap();
    assert_eq!(used().await, (Some(at(9)), Some(at(1))));
    place.store.key_use_write(WhichUses::All).await.unwrap();
}

#[tokio::test]
async fn uses_that_could_not_be_written_are_written_later() {
    let place = Place::new().await;
    let (_, key) = make(&place, &admin(), wanted(None)).await;
    let at = |seconds: i64| OffsetDateTime::from_unix_timestamp(1_700_000_000 + seconds).unwrap();
    place.store.key_used(key.id, &origin(), at(1));
    place.database.execute("ALTER TABLE api_keys RENAME TO away").await;
    assert!(place.store.key_use_write(WhichUses::All).await.is_err());
    place.database.execute("ALTER TABLE away RENAME TO api_keys").await;
    place.store.key_use_write(WhichUses::All).await.unwrap();
    let found = place.store.key_find(&admin().permit().unwrap(), key.id).await.unwrap().unwrap();
    let last = found.last_use.unwrap();
    assert_eq!((last.at, last.address, last.user_agent.as_deref()), (at(1), Some("192.0.2.9".parse().unwrap()), Some("test/1")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_write_the_same_keys_at_once_do_not_wait_for_each_other_forever() {
    let place = Place::new().await;
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(make(&place, &admin(), wanted(None)).await.1.id);
    }
    let mut nodes = tokio::task::JoinSet::new();
    for seed in 0..4 {
        let (store, ids) = (place.other_store(), ids.clone());
        nodes.spawn(async move {
            let entropy = SeededEntropy::new(seed);
            for _ in 0..20 {
                for id in &ids {
                    if entropy.below(2) == 0 {
                        store.key_used(*id, &origin(), SystemClock.now());
                    }
                }
                store.key_use_write(WhichUses::All).await.unwrap();
            }
        });
    }
    nodes.join_all().await;
}
