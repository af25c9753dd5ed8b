//! TLS of `serve`: the certificates, and how they are reloaded.

use std::fmt;
use std::sync::Arc;

use ::admin::prometheus_client::collector::Collector;
use ::admin::prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use ::admin::prometheus_client::metrics::MetricType;
use ::admin::prometheus_client::registry::Unit;
use common::Service;
use tls::{Acceptor, AcceptorSettings};

use crate::arguments::Tls;
use crate::failure::Failure;

/// Loads the certificates that these arguments name. `None` without such an argument.
pub(crate) fn load(arguments: &Tls) -> Result<Option<Arc<Acceptor>>, Failure> {
    if let (Some(certificate), None) = (&arguments.tls_cert, &arguments.tls_key) {
        let file = certificate.display();
        return Err(Failure::Usage(format!(
            "--tls-cert {file} is of no use without its private key; add --tls-key"
        )));
    }
    if let (None, Some(key)) = (&arguments.tls_cert, &arguments.tls_key) {
        let file = key.display();
        return Err(Failure::Usage(format!(
            "--tls-key {file} is of no use without its certificate; add --tls-cert"
        )));
    }
    let has_certificates = arguments.tls_cert.is_some() || arguments.tls_certs.is_some();
    if !has_certificates {
        let needing = [
            ("--tls-client-ca", arguments.tls_client_ca.is_some()),
            ("--tls-alpn", !arguments.tls_alpn.is_empty()),
        ];
        return match needing.into_iter().find(|(_, is_given)| *is_given) {
            None => Ok(None),
            Some((flag, _)) => Err(Failure::Usage(format!(
                "{flag} is for servers with a certificate; add --tls-cert and --tls-key, or --tls-certs"
            ))),
        };
    }
    let mut settings = AcceptorSettings::default().with_alpn(arguments.tls_alpn.iter().map(String::as_str));
    if let (Some(certificate), Some(key)) = (&arguments.tls_cert, &arguments.tls_key) {
        settings = settings.with_certificate(certificate, key);
    }
    settings.folder.clone_from(&arguments.tls_certs);
    settings.client_authorities.clone_from(&arguments.tls_client_ca);
    let acceptor = Acceptor::new(settings).map_err(|error| Failure::of(&error))?;
    warn(&acceptor);
    Ok(Some(Arc::new(acceptor)))
}

/// Adds TLS to a service.
pub(crate) fn below(service: Service, acceptor: &Arc<Acceptor>) -> Result<Service, Failure> {
    if service.transform.is_some() {
        let error = "this program transforms the bytes of its clients itself; leave out the flags that begin with --tls";
        return Err(Failure::Usage(error.to_owned()));
    }
    let acceptor = Arc::clone(acceptor);
    Ok(service.with_transform(move |client| acceptor.transform(client)))
}

/// Loads the certificates again, and logs the result.
pub(crate) fn reload(acceptor: &Acceptor) {
    match acceptor.reload() {
        Ok(()) => {
            let (certificates, reloads) = (acceptor.certificate_count(), acceptor.reloads());
            tracing::info!(certificates, reloads, "the certificates were reloaded");
            warn(acceptor);
        }
        Err(error) => {
            let failed_reloads = acceptor.failed_reloads();
            tracing::error!(%error, failed_reloads, "the certificates can't be reloaded, so those in use are kept");
        }
    }
}

fn warn(acceptor: &Acceptor) {
    acceptor.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
}

/// How often the certificates were loaded again, as a metric.
#[derive(Debug)]
pub(crate) struct Reloads(pub(crate) Arc<Acceptor>);

impl Collector for Reloads {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Self(acceptor) = self;
        let help = "How many times the certificates were loaded again, or could not be.";
        let unit = Unit::Other("reloads".to_owned());
        let mut family = encoder.encode_descriptor("anyloop_tls", help, Some(&unit), MetricType::Counter)?;
        for (result, count) in [("done", acceptor.reloads()), ("failed", acceptor.failed_reloads())] {
            let labels = [("result", result)];
            family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
        Ok(())
    }
}
