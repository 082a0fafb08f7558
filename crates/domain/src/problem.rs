//! What can be wrong with a value that a caller gave, in words that say what to do.

/// Why a value was refused. Its text is for the caller: it names the rule and never repeats the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A value that has to be there is absent.
    #[error("this field is required")]
    Missing,
    /// A text is empty that may not be.
    #[error("must not be empty")]
    Empty,
    /// A text is longer than allowed.
    #[error("is too long: at most {limit} {unit} are allowed")]
    TooLong {
        /// How many are allowed.
        limit: usize,
        /// What is counted: `characters`, `octets`.
        unit: &'static str,
    },
    /// There are more of something than allowed.
    #[error("too many: at most {limit} {unit} are allowed")]
    TooMany {
        /// How many are allowed.
        limit: usize,
        /// What is counted.
        unit: &'static str,
    },
    /// A control character, which could start a header or a command of its own.
    #[error("must not hold control characters (CR, LF, NUL, tab and the like)")]
    ControlCharacter,
    /// No address of RFC 5321 section 4.1.2.
    #[error("is no email address: write `local@domain` or `Name <local@domain>`")]
    NotAnAddress,
    /// An address literal such as `a@[192.0.2.1]`.
    #[error("an address literal in brackets is not accepted: use a domain name")]
    AddressLiteral,
    /// No domain name, or one that IDNA (UTS #46) does not allow.
    #[error("the part after the `@` is no domain name")]
    NotADomain,
    /// No recipient at all in `to`.
    #[error("at least one recipient is required in `to`")]
    NoRecipient,
    /// Neither a text nor an HTML body.
    #[error("at least one of `text` and `html` is required")]
    NoBody,
    /// No header field name of RFC 5322 section 2.2.
    #[error("is no header name: printable ASCII without spaces and colons")]
    NotAHeaderName,
    /// A header that the server writes itself, or that would forge another's.
    #[error("the header `{0}` is set by the server or has a field of its own")]
    ReservedHeader(String),
    /// The same header twice, in whatever case.
    #[error("each header may be given once, whatever its case")]
    RepeatedHeader,
    /// No media type of RFC 2045 section 5.1.
    #[error("is no media type: write `type/subtype`, with parameters as `; name=value`")]
    NotAMediaType,
    /// A file name with a path in it.
    #[error("a file name must not hold `/` or `\\`")]
    PathInFileName,
    /// No content id of RFC 2392.
    #[error("a content id is visible ASCII without spaces, `<` and `>`")]
    NotAContentId,
    /// The same content id twice.
    #[error("each content id may be used once")]
    RepeatedContentId,
    /// A tag with characters beyond the allowed ones.
    #[error("a tag is 1..256 characters of `A-Z a-z 0-9 _ -`")]
    NotATag,
    /// The tenant that a key is to be made for does not exist.
    #[error("there is no tenant with this id")]
    NoSuchTenant,
    /// The template that an email is to be made of does not exist.
    #[error("there is no template with this id or name")]
    NoSuchTemplate,
    /// What a template gives, beside the template.
    #[error("cannot be given together with `template_id`: the template gives it")]
    BesideTemplate,
    /// What only a template has a use for.
    #[error("is of use only together with `template_id`")]
    WithoutTemplate,
    /// The name of a template that could be taken for an id.
    #[error("must not begin with `tmpl_`, as ids do")]
    LooksLikeAnId,
    /// An address that is not at the domain that the tenant's mail has to come from.
    #[error("must be at the tenant's domain")]
    OutsideDomain,
    /// No IP address and no range of them.
    #[error("is no IP address or CIDR range: write `192.0.2.7`, `192.0.2.0/24` or `2001:db8::/32`")]
    NotANetwork,
    /// A range of IP addresses whose address is not the range's first.
    #[error("the address is not the first of its range: the range is written `{0}`")]
    HostBits(String),
    /// Neither an address nor `@` and a domain.
    #[error("is neither an address nor `@` and a domain: write `shop@yourdomain.example` or `@yourdomain.example`")]
    NotASender,
    /// Neither a host name nor an IP address.
    #[error("is neither a host name nor an IP address")]
    NotAHost,
    /// No URL that events can be posted to.
    #[error("is no URL that events can be posted to: write `https://host/path`, in ASCII, with other octets as %XX, without a fragment")]
    NotAUrl,
    /// A URL with a user name or a password in it.
    #[error("must not hold a user name or a password: what is posted is signed")]
    UserInUrl,
    /// No secret of Standard Webhooks.
    #[error("is no webhook secret: write `whsec_` and 24..64 random octets in base64, or leave it out to have one made")]
    NotAWebhookSecret,
    /// An address that nobody else may make us dial.
    #[error("is no public address: only public addresses are connected to")]
    NotPublic,
    /// A value without the one that it is of no use without, which is named.
    #[error("is required, since {0} is there: give both or neither")]
    Alone(&'static str),
    /// No DKIM selector of RFC 6376 section 3.1.
    #[error("is no selector: labels of letters, digits and hyphens, separated by dots, such as `mail2026`")]
    NotASelector,
    /// No private key that mail can be signed with.
    #[error("must be a private key in PEM without a passphrase: RSA of 2048 to 4096 bits (PKCS#8 or PKCS#1), or Ed25519 (PKCS#8)")]
    NotASigningKey,
    /// A domain whose signature says nothing of the tenant's mail, since that has to come from another.
    #[error("must be the tenant's domain or one above it")]
    NotAligned,
    /// Credentials that would go over the network in clear.
    #[error("must be true where there are a user and a password: they are not sent in clear")]
    ClearCredentials,
    /// A kept password that would be used elsewhere than it was given for.
    #[error("has to be given again, since host, port, user or TLS have changed: the kept one goes nowhere else")]
    PasswordElsewhere,
    /// What needs links to the server, which knows no URL of its own.
    #[error("needs links that lead to this server, and its operator has not set PUBLIC_URL")]
    NoPublicUrl,
    /// A time that has to be in the future and is not.
    #[error("must be in the future")]
    Past,
    /// A time that lies further ahead than [`FURTHEST_AHEAD`](crate::FURTHEST_AHEAD).
    #[error("must be at most 30 days ahead")]
    TooFarAhead,
    /// A value that is none of those allowed, which the text tells.
    #[error("must be {0}")]
    NotOneOf(&'static str),
}

impl Problem {
    /// The same problem, with the name of the field that has it.
    #[must_use]
    pub fn at(self, field: impl Into<String>) -> FieldError {
        FieldError { field: field.into(), problem: self }
    }
}

/// A [`Problem`] and where it is, such as `to[1]`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct FieldError {
    /// The path of the field within the request.
    pub field: String,
    /// What is wrong with it.
    pub problem: Problem,
}
