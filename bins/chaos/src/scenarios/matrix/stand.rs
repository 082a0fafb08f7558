//! One cell's tenant and relay.

use selfmx_testing::{Certificate, Fault, Phase, Sink, SinkSettings, SinkTls};
use serde_json::json;

use super::cells::{Cell, Step, Wrong};
use crate::failure::Failure;
use crate::ledger::{Delivery, Watch};
use crate::proxy::{Proxy, Target, Weather};
use crate::relay;
use crate::world::World;

const LOGIN: (&str, &str) = ("matrix", "a-made-up-password");
/// Within the message, after everything that is said before it.
const OCTETS: usize = 1000;

/// A relay that does one thing wrong, once, and a tenant whose mail goes there.
pub(super) struct Stand {
    tenant: String,
    sink: Sink,
    way: Proxy,
}

impl Stand {
    pub(super) async fn set_up(world: &mut World, cell: &Cell, certificate: &Certificate) -> Result<Self, Failure> {
        let mut settings = SinkSettings::default();
        if let (Step::At(phase), Wrong::Act(act)) = (cell.step, &cell.wrong) {
            let fault = Fault::new(phase, act.clone());
            // There is more than one way to authenticate, and all of them go wrong.
            settings.faults = vec![if phase == Phase::Auth { fault.on_first_connections(1) } else { fault.times(1) }];
        }
        if cell.needs_login() {
            settings.tls = SinkTls::StartTls(certificate.clone());
            settings.credentials = Some((LOGIN.0.to_owned(), LOGIN.1.to_owned()));
        }
        let sink = Sink::start(settings).await;
        let way = Proxy::start(Target::Tcp(sink.address())).await?;
        match (cell.step, &cell.wrong) {
            (Step::Body, _) => way.set(Weather::CutsAfter(OCTETS)),
            (_, Wrong::Closed) => way.set(Weather::Refuses),
            (_, Wrong::Swallowed) => way.set(Weather::Swallows),
            (_, Wrong::Act(_)) => {}
        }
        let mut smtp = json!({"host": "127.0.0.1", "port": way.address().port(), "tls": cell.needs_login()});
        if let Some(smtp) = smtp.as_object_mut().filter(|_| cell.needs_login()) {
            smtp.insert("user".to_owned(), LOGIN.0.into());
            smtp.insert("pass".to_owned(), LOGIN.1.into());
        }
        let made = world.ask("POST", "/v1/tenants", &json!({"name": cell.name(), "smtp": smtp})).await?;
        let tenant = made.get("id").and_then(|id| id.as_str()).unwrap_or_default().to_owned();
        Ok(Self { tenant, sink, way })
    }

    /// Where its mail is sent to.
    pub(super) fn path(&self) -> String {
        format!("/v1/tenants/{}/send", self.tenant)
    }

    /// From now on nothing goes wrong on the way; the relay itself does it once.
    pub(super) fn behave(&self) {
        self.way.set(Weather::Clear);
        self.way.cut();
    }

    pub(super) fn deliveries(&self, watch: Watch) -> Vec<Delivery> {
        relay::deliveries_of(&self.sink, watch)
    }
}
