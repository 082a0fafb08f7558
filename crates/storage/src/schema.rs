//! The tables as diesel knows them; `migrations/` makes them.

use diesel::{allow_tables_to_appear_in_same_query, table};

table! {
    tenants (id) {
        id -> Uuid,
        name -> Text,
        created_at -> Timestamptz,
    }
}

table! {
    api_keys (id) {
        id -> Uuid,
        tenant_id -> Nullable<Uuid>,
        name -> Text,
        hint -> Text,
        digest -> Binary,
        permissions -> Array<Text>,
        mode -> Text,
        created_at -> Timestamptz,
        expires_at -> Nullable<Timestamptz>,
        revoked_at -> Nullable<Timestamptz>,
        last_used_at -> Nullable<Timestamptz>,
    }
}

table! {
    emails (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        api_key_id -> Uuid,
        mode -> Text,
        priority -> SmallInt,
        status -> Text,
        smtputf8 -> Bool,
        from_name -> Nullable<Text>,
        from_address -> Text,
        subject -> Text,
        reply_to -> Jsonb,
        tags -> Jsonb,
        metadata -> Jsonb,
        created_at -> Timestamptz,
        delivered_at -> Nullable<Timestamptz>,
    }
}

table! {
    messages (email_id) {
        email_id -> Uuid,
        text -> Nullable<Text>,
        html -> Nullable<Text>,
        raw -> Binary,
    }
}

table! {
    recipients (email_id, ordinal) {
        email_id -> Uuid,
        ordinal -> SmallInt,
        tenant_id -> Uuid,
        kind -> Text,
        name -> Nullable<Text>,
        address -> Text,
        status -> Text,
        attempts -> Integer,
        bounce_type -> Nullable<Text>,
        reply_code -> Nullable<SmallInt>,
        reply_enhanced -> Nullable<Text>,
        reply_text -> Nullable<Text>,
        next_attempt_at -> Nullable<Timestamptz>,
    }
}

table! {
    queue (email_id) {
        email_id -> Uuid,
        tenant_id -> Uuid,
        priority -> SmallInt,
        due_at -> Timestamptz,
        lease_token -> Nullable<Uuid>,
    }
}

table! {
    events (email_id, id) {
        email_id -> Uuid,
        id -> Uuid,
        tenant_id -> Uuid,
        kind -> Text,
        ordinal -> Nullable<SmallInt>,
        attempt -> Integer,
        response -> Nullable<Text>,
        at -> Timestamptz,
    }
}

allow_tables_to_appear_in_same_query!(emails, messages, recipients, queue, events);
