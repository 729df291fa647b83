//! Logging in.

use crate::option::declare::options;
use crate::option::valid::Valid::{Anything, AtLeast, Entries};

options! {
    /// Logging in.
    pub SASL;

    "principal.builder.class": Class = "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder", Anything, Medium PerBroker,
        "How a user name is made from a login or a certificate. Kafka's default builder is recognised by its class name.";
    "sasl.enabled.mechanisms": List = "GSSAPI", Entries { may_be_empty: true }, Medium PerBroker,
        "SASL mechanisms that clients may use.";
    "sasl.mechanism.inter.broker.protocol": String = "GSSAPI", Anything, Medium PerBroker,
        "SASL mechanism between brokers.";
    "sasl.mechanism.controller.protocol": String = "GSSAPI", Anything, High ReadOnly,
        "SASL mechanism towards controllers.";
    "sasl.jaas.config": Password = null, Anything, Medium PerBroker,
        "Login settings in JAAS format, usually with `listener.name.NAME.MECHANISM.` before the name.";
    "sasl.client.callback.handler.class": Class = null, Anything, Medium ReadOnly,
        "Java class that answers a client's login questions. Java classes are not loaded here; the value is kept and reported.";
    "sasl.server.callback.handler.class": Class = null, Anything, Medium ReadOnly,
        "Java class that checks logins. Java classes are not loaded here; the value is kept and reported.";
    "sasl.login.callback.handler.class": Class = null, Anything, Medium ReadOnly,
        "Java class that answers questions during login. Java classes are not loaded here; the value is kept and reported.";
    "sasl.login.class": Class = null, Anything, Medium ReadOnly,
        "Java class that logs in. Java classes are not loaded here; the value is kept and reported.";
    "sasl.server.max.receive.size": Int = "524288", Anything, Medium ReadOnly,
        "Largest message in bytes that is accepted before a client has logged in.";
    "connections.max.reauth.ms": Long = "0", Anything, Medium ReadOnly,
        "Milliseconds after which a client must log in again or is disconnected; 0 switches this off.";
    "sasl.kerberos.service.name": String = null, Anything, Medium PerBroker,
        "Kerberos service name of the brokers.";
    "sasl.kerberos.kinit.cmd": String = "/usr/bin/kinit", Anything, Medium PerBroker,
        "Path of the `kinit` command.";
    "sasl.kerberos.ticket.renew.window.factor": Double = "0.8", Anything, Medium PerBroker,
        "Share of a ticket's life after which it is renewed.";
    "sasl.kerberos.ticket.renew.jitter": Double = "0.05", Anything, Medium PerBroker,
        "Random share by which the renewal of a ticket varies.";
    "sasl.kerberos.min.time.before.relogin": Long = "60000", Anything, Medium PerBroker,
        "Milliseconds between two attempts to renew a ticket.";
    "sasl.kerberos.principal.to.local.rules": List = "DEFAULT", Entries { may_be_empty: true }, Medium PerBroker,
        "Rules that turn a Kerberos principal into a user name. The first match wins.";
    "sasl.login.refresh.window.factor": Double = "0.8", Anything, Medium PerBroker,
        "Share of a token's life after which it is refreshed.";
    "sasl.login.refresh.window.jitter": Double = "0.05", Anything, Medium PerBroker,
        "Random share by which the refresh of a token varies.";
    "sasl.login.refresh.min.period.seconds": Short = "60", Anything, Medium PerBroker,
        "Seconds that a refreshed token is used at least.";
    "sasl.login.refresh.buffer.seconds": Short = "300", Anything, Medium PerBroker,
        "Seconds before its expiry by which a token is refreshed.";
    "sasl.login.connect.timeout.ms": Int = null, Anything, Low ReadOnly,
        "Milliseconds for connecting to an identity provider. Unset is no limit.";
    "sasl.login.read.timeout.ms": Int = null, Anything, Low ReadOnly,
        "Milliseconds for reading from an identity provider. Unset is no limit.";
    "sasl.login.retry.backoff.ms": Long = "100", Anything, Low ReadOnly,
        "Milliseconds of rest after a first failed login at an identity provider.";
    "sasl.login.retry.backoff.max.ms": Long = "10000", Anything, Low ReadOnly,
        "Upper bound in milliseconds of the growing rest between logins.";
    "delegation.token.secret.key": Password = null, Anything, Medium ReadOnly,
        "Secret with which delegation tokens are signed, the same on every node. Unset switches tokens off.";
    "delegation.token.max.lifetime.ms": Long = "604800000", AtLeast(1), Medium ReadOnly,
        "Milliseconds after which a delegation token can no longer be renewed.";
    "delegation.token.expiry.time.ms": Long = "86400000", AtLeast(1), Medium ReadOnly,
        "Milliseconds that a delegation token is valid between renewals.";
    "delegation.token.expiry.check.interval.ms": Long = "3600000", AtLeast(1), Low ReadOnly,
        "Milliseconds between two searches for expired delegation tokens.";
}
