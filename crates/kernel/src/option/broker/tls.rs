//! Certificates and encryption. Settings with `listener.name.NAME.` before them hold for one listener.

use crate::option::declare::options;
use crate::option::valid::Valid::{Anything, Entries, OneOf};

options! {
    /// Certificates and encryption. Settings with `listener.name.NAME.` before them hold for one listener.
    pub TLS;

    "ssl.client.auth": String = "none", OneOf(&["required", "requested", "none"]), Medium PerBroker,
        "Whether clients must (`required`), may (`requested`) or need not (`none`) show a certificate.";
    "ssl.protocol": String = "TLSv1.3", Anything, Medium PerBroker,
        "Newest TLS version to use.";
    "ssl.enabled.protocols": List = "TLSv1.2,TLSv1.3", Entries { may_be_empty: true }, Medium PerBroker,
        "TLS versions that may be used.";
    "ssl.cipher.suites": List = "", Entries { may_be_empty: true }, Medium PerBroker,
        "Cipher suites that may be used. Empty means all that are safe.";
    "ssl.provider": String = null, Anything, Medium PerBroker,
        "Java security provider. Without meaning here; the value is kept and reported.";
    "ssl.keystore.type": String = "JKS", Anything, Medium PerBroker,
        "Format of the key store: `JKS`, `PKCS12` or `PEM`.";
    "ssl.keystore.location": String = null, Anything, Medium PerBroker,
        "File with the broker's private key and certificate.";
    "ssl.keystore.password": Password = null, Anything, Medium PerBroker,
        "Password of the key store file.";
    "ssl.keystore.key": Password = null, Anything, Medium PerBroker,
        "The broker's private key itself, as PEM.";
    "ssl.keystore.certificate.chain": Password = null, Anything, Medium PerBroker,
        "The broker's certificate chain itself, as PEM.";
    "ssl.key.password": Password = null, Anything, Medium PerBroker,
        "Password of the private key.";
    "ssl.truststore.type": String = "JKS", Anything, Medium PerBroker,
        "Format of the trust store: `JKS`, `PKCS12` or `PEM`.";
    "ssl.truststore.location": String = null, Anything, Medium PerBroker,
        "File with the certificates that are trusted.";
    "ssl.truststore.password": Password = null, Anything, Medium PerBroker,
        "Password of the trust store file.";
    "ssl.truststore.certificates": Password = null, Anything, Medium PerBroker,
        "The trusted certificates themselves, as PEM.";
    "ssl.keymanager.algorithm": String = "SunX509", Anything, Medium PerBroker,
        "Java key manager. Without meaning here; the value is kept and reported.";
    "ssl.trustmanager.algorithm": String = "PKIX", Anything, Medium PerBroker,
        "Java trust manager. Without meaning here; the value is kept and reported.";
    "ssl.endpoint.identification.algorithm": String = "https", Anything, Low PerBroker,
        "How a server's certificate is compared with its host name; empty switches the check off.";
    "ssl.secure.random.implementation": String = null, Anything, Low PerBroker,
        "Java source of randomness. Without meaning here; the value is kept and reported.";
    "ssl.engine.factory.class": Class = null, Anything, Low PerBroker,
        "Java class that builds TLS engines. Java classes are not loaded here; the value is kept and reported.";
    "ssl.principal.mapping.rules": String = "DEFAULT", Anything, Low ReadOnly,
        "Rules that turn the name in a client's certificate into a user name. The first match wins; `DEFAULT` keeps the full name.";
    "ssl.allow.dn.changes": Boolean = "false", Anything, Low ReadOnly,
        "Whether a new certificate may carry another distinguished name when it is replaced while running.";
    "ssl.allow.san.changes": Boolean = "false", Anything, Low ReadOnly,
        "Whether a new certificate may carry other alternative names when it is replaced while running.";
    "security.providers": String = null, Anything, Low ReadOnly,
        "Java security providers. Without meaning here; the value is kept and reported.";
}
