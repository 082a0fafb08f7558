//! The tables as diesel knows them; `migrations/` makes them.

use diesel::{allow_tables_to_appear_in_same_query, table};

table! {
    tenants (id) {
        id -> Uuid,
        name -> Text,
        created_at -> Timestamptz,
        status -> Text,
        suspended_at -> Nullable<Timestamptz>,
        deleted_at -> Nullable<Timestamptz>,
        erase_due_at -> Nullable<Timestamptz>,
        erased_at -> Nullable<Timestamptz>,
        domain -> Nullable<Text>,
        from_name -> Nullable<Text>,
        from_address -> Nullable<Text>,
        reply_to -> Nullable<Text>,
        requests_per_minute -> Nullable<Integer>,
        emails_per_day -> Nullable<Integer>,
        relay_host -> Nullable<Text>,
        relay_port -> Nullable<Integer>,
        relay_user -> Nullable<Text>,
        relay_pass -> Nullable<Binary>,
        relay_tls -> Nullable<Bool>,
        relay_version -> BigInt,
        dkim_domain -> Nullable<Text>,
        dkim_selector -> Nullable<Text>,
        dkim_algorithm -> Nullable<Text>,
        dkim_public_key -> Nullable<Text>,
        dkim_key -> Nullable<Binary>,
        updated_at -> Timestamptz,
        track_opens -> Bool,
        track_clicks -> Bool,
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
        enabled -> Bool,
        allowed_ips -> Nullable<Array<Text>>,
        allowed_senders -> Nullable<Array<Text>>,
        allowed_templates -> Nullable<Array<Uuid>>,
        requests_per_minute -> Nullable<Integer>,
        previous_digest -> Nullable<Binary>,
        previous_until -> Nullable<Timestamptz>,
        created_by -> Nullable<Uuid>,
        last_used_address -> Nullable<Text>,
        last_used_agent -> Nullable<Text>,
    }
}

table! {
    audit_logs (id) {
        id -> Uuid,
        at -> Timestamptz,
        tenant_id -> Uuid,
        action -> Text,
        refusal -> Nullable<Text>,
        actor_key_id -> Nullable<Uuid>,
        actor_tenant_id -> Nullable<Uuid>,
        address -> Nullable<Text>,
        user_agent -> Nullable<Text>,
        request_id -> Nullable<Text>,
        target -> Nullable<Text>,
        before -> Nullable<Jsonb>,
        after -> Nullable<Jsonb>,
    }
}

table! {
    usage_months (tenant_id, month) {
        tenant_id -> Uuid,
        month -> Date,
        api_requests -> BigInt,
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
        scheduled_at -> Nullable<Timestamptz>,
        template_id -> Nullable<Uuid>,
        template_version -> Nullable<Integer>,
    }
}

table! {
    suppressions (tenant_id, folded) {
        tenant_id -> Uuid,
        id -> Uuid,
        address -> Text,
        folded -> Text,
        reason -> Text,
        email_id -> Nullable<Uuid>,
        response -> Nullable<Text>,
        created_at -> Timestamptz,
    }
}

table! {
    templates (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        name -> Text,
        version -> Integer,
        partials -> Array<Text>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

table! {
    template_versions (tenant_id, template_id, version) {
        tenant_id -> Uuid,
        template_id -> Uuid,
        version -> Integer,
        name -> Text,
        subject -> Text,
        html -> Nullable<Text>,
        text -> Nullable<Text>,
        sender -> Nullable<Text>,
        reply_to -> Array<Text>,
        strict -> Bool,
        created_at -> Timestamptz,
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
        held -> Bool,
        unsettled -> SmallInt,
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
        duration_ms -> Nullable<Integer>,
        url -> Nullable<Text>,
    }
}

table! {
    webhooks (id) {
        id -> Uuid,
        tenant_id -> Uuid,
        url -> Text,
        events -> Array<Text>,
        secret -> Binary,
        previous_secret -> Nullable<Binary>,
        previous_until -> Nullable<Timestamptz>,
        active -> Bool,
        disabled_reason -> Nullable<Text>,
        disabled_at -> Nullable<Timestamptz>,
        failing_since -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

allow_tables_to_appear_in_same_query!(emails, messages, recipients, queue, events);
allow_tables_to_appear_in_same_query!(api_keys, tenants);
allow_tables_to_appear_in_same_query!(templates, template_versions);
