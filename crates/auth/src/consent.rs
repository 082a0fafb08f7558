//! Sending as somebody: a draft that its key and its tenant consent to.

use selfmx_domain::{Address, ApiKeyId, Draft, Mode, TemplateId, TemplateUsed, Tenant, TenantId, TraceId};

use crate::{Allowed, Denied, Permit, Scope, needs};

/// A draft that its key may send: it was checked whom it comes from, by which template, and whether the tenant may send. Only [`Permit::consent`]
/// makes one.
#[must_use = "a draft that may be sent is there to be sent"]
#[derive(Debug)]
pub struct Consented {
    draft: Draft,
    template: Option<TemplateUsed>,
    tenant: TenantId,
    key: ApiKeyId,
    mode: Mode,
    limited: bool,
    trace: Option<TraceId>,
}

impl Consented {
    /// The draft.
    #[must_use]
    pub const fn draft(&self) -> &Draft {
        &self.draft
    }

    /// The template that it was made from.
    #[must_use]
    pub const fn template(&self) -> Option<TemplateUsed> {
        self.template
    }

    /// The tenant whose mail it is.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The key that sends it.
    #[must_use]
    pub const fn key_id(&self) -> ApiKeyId {
        self.key
    }

    /// Whether it goes to a relay.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether the tenant had a daily quota when the key was recognised. Whether it has one, and what is left of it, is for the store to say.
    #[must_use]
    pub const fn is_limited(&self) -> bool {
        self.limited
    }

    /// The trace that the request to send it belongs to.
    #[must_use]
    pub const fn trace(&self) -> Option<TraceId> {
        self.trace
    }
}

impl Permit<needs::Send> {
    /// Checks whether the holder may send `draft`, made of `template` where it was made of one.
    ///
    /// # Errors
    ///
    /// [`Denied::Suspended`], [`Denied::Sender`], [`Denied::Domain`], [`Denied::Template`].
    pub fn consent(&self, draft: Draft, template: Option<TemplateUsed>) -> Result<Consented, Denied> {
        let (tenant, key) = (self.tenant_then(), self.holder().key());
        check_tenant(tenant, &draft)?;
        if !key.authority.allowed_senders.allows(draft.from().address()) {
            return Err(Denied::Sender);
        }
        self.check_template(template.map(|template| template.id))?;
        let limited = tenant.profile.daily_limit().is_some();
        let (tenant, key, mode, trace) = (self.tenant(), self.key_id(), self.mode(), self.origin().trace);
        Ok(Consented { draft, template, tenant, key, mode, limited, trace })
    }

    /// Checks whether the holder may send by this template, before anything is made of it: whoever may not learns nothing of it, not even whether there is
    /// one. `None`: by none, or by one that there is not.
    ///
    /// # Errors
    ///
    /// [`Denied::Template`].
    pub fn check_template(&self, template: Option<TemplateId>) -> Result<(), Denied> {
        match (&self.holder().key().authority.allowed_templates, template) {
            (Allowed::Any, _) => Ok(()),
            (allowed @ Allowed::Only(_), Some(template)) if allowed.allows(&template) => Ok(()),
            (Allowed::Only(_), _) => Err(Denied::Template),
        }
    }
}

impl<P: Scope> Permit<P> {
    /// Whether an email of the tenant's, from this sender and of this mode, is one that the holder may cancel, put off or report on: no key that is bounded to some
    /// senders reaches what comes from others, and no test key what goes out.
    #[must_use]
    pub fn could_send(&self, from: &Address, mode: Mode) -> bool {
        self.holder().key().authority.allowed_senders.allows(from) && (self.mode() == Mode::Live || mode == Mode::Test)
    }
}

fn check_tenant(tenant: &Tenant, draft: &Draft) -> Result<(), Denied> {
    if !tenant.is_active() {
        return Err(Denied::Suspended);
    }
    match &tenant.profile.domain {
        Some(domain) if domain != draft.from().address().domain() => Err(Denied::Domain(domain.clone())),
        _ => Ok(()),
    }
}
