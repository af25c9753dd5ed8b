//! Faults of a connection to a server.

/// What a client says behind the description of a failure: what to do about this fault, without a full stop; for example
/// which of its flags may help.
pub type Advice = fn(Fault) -> &'static str;

/// Why a connection to a server has failed, if it is one of the usual reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The server does not speak TLS.
    NoTls,
    /// The certificate of the server is issued by an authority that is not trusted.
    UnknownAuthority,
    /// The certificate of the server has expired, or is not valid yet.
    Expired,
    /// The certificate of the server is not valid for the name of the server.
    WrongName,
    /// The certificate of the server is one of an authority, which may issue others.
    IsAuthority,
    /// The server requires a certificate of the client.
    CertificateRequired,
    /// The server has refused the certificate of the client.
    CertificateRefused,
    /// The server has no certificate for the name that was requested.
    UnknownName,
    /// The server knows none of the application protocols that were offered.
    NoCommonProtocol,
    /// The server has refused the handshake without a reason: it may require a certificate, or have no version or cipher
    /// suite in common.
    Refused,
}
