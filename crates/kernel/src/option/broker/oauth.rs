//! Bearer tokens of OAuth and OpenID Connect providers.

use crate::option::declare::options;
use crate::option::valid::Valid::{Anything, Between, Entries, OneOfAnyCase};

options! {
    /// Bearer tokens of OAuth and OpenID Connect providers.
    pub OAUTH;

    "sasl.oauthbearer.token.endpoint.url": String = null, Anything, Medium ReadOnly,
        "Where tokens are requested, or a `file:` URL of a token.";
    "sasl.oauthbearer.jwks.endpoint.url": String = null, Anything, Medium ReadOnly,
        "Where the provider's public keys are found, or a `file:` URL.";
    "sasl.oauthbearer.jwks.endpoint.refresh.ms": Long = "3600000", Anything, Low ReadOnly,
        "Milliseconds between two readings of the provider's public keys.";
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms": Long = "100", Anything, Low ReadOnly,
        "Milliseconds of rest after a first failed reading of the public keys.";
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms": Long = "10000", Anything, Low ReadOnly,
        "Upper bound in milliseconds of the growing rest between readings of the public keys.";
    "sasl.oauthbearer.expected.audience": List = "", Entries { may_be_empty: true }, High ReadOnly,
        "Audiences of which a token must name one.";
    "sasl.oauthbearer.expected.issuer": String = null, Anything, High ReadOnly,
        "Issuer that a token must name.";
    "sasl.oauthbearer.allow.unverified.audience": Boolean = "false", Anything, Medium ReadOnly,
        "Whether a token is accepted although no expected audience is configured.";
    "sasl.oauthbearer.allow.unverified.issuer": Boolean = "false", Anything, Medium ReadOnly,
        "Whether a token is accepted although no expected issuer is configured.";
    "sasl.oauthbearer.clock.skew.seconds": Int = "30", Anything, Low ReadOnly,
        "Seconds that the clocks of provider and broker may differ.";
    "sasl.oauthbearer.scope.claim.name": String = "scope", Anything, Low ReadOnly,
        "Claim of a token that holds its scope.";
    "sasl.oauthbearer.sub.claim.name": String = "sub", Anything, Low ReadOnly,
        "Claim of a token that holds its subject.";
    "sasl.oauthbearer.scope": String = null, Anything, Medium ReadOnly,
        "Scope that is asked for when a token is requested.";
    "sasl.oauthbearer.client.credentials.client.id": String = null, Anything, Medium ReadOnly,
        "Client id for requesting tokens.";
    "sasl.oauthbearer.client.credentials.client.secret": Password = null, Anything, Medium ReadOnly,
        "Client secret for requesting tokens.";
    "sasl.oauthbearer.jwt.retriever.class": Class = "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever", Anything, Medium ReadOnly,
        "Java class that requests tokens. Java classes are not loaded here; the value is kept and reported.";
    "sasl.oauthbearer.jwt.validator.class": Class = "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator", Anything, Medium ReadOnly,
        "Java class that checks tokens. Java classes are not loaded here; the value is kept and reported.";
    "sasl.oauthbearer.assertion.algorithm": String = "RS256", OneOfAnyCase(&["ES256", "RS256"]), Medium ReadOnly,
        "Algorithm with which an assertion is signed.";
    "sasl.oauthbearer.assertion.file": String = null, Anything, Medium ReadOnly,
        "File with a ready-made assertion.";
    "sasl.oauthbearer.assertion.template.file": String = null, Anything, Medium ReadOnly,
        "JSON file with headers and claims for assertions.";
    "sasl.oauthbearer.assertion.private.key.file": String = null, Anything, Medium ReadOnly,
        "PEM file with the key that signs assertions.";
    "sasl.oauthbearer.assertion.private.key.passphrase": Password = null, Anything, Medium ReadOnly,
        "Passphrase of the key that signs assertions.";
    "sasl.oauthbearer.assertion.claim.aud": String = null, Anything, Medium ReadOnly,
        "Audience claim of an assertion.";
    "sasl.oauthbearer.assertion.claim.iss": String = null, Anything, Medium ReadOnly,
        "Issuer claim of an assertion.";
    "sasl.oauthbearer.assertion.claim.sub": String = null, Anything, Medium ReadOnly,
        "Subject claim of an assertion.";
    "sasl.oauthbearer.assertion.claim.exp.seconds": Int = "300", Between(0, 86_400), Low ReadOnly,
        "Seconds from now that an assertion is valid.";
    "sasl.oauthbearer.assertion.claim.nbf.seconds": Int = "60", Between(0, 3_600), Low ReadOnly,
        "Seconds before now from which an assertion is valid.";
    "sasl.oauthbearer.assertion.claim.jti.include": Boolean = "false", Anything, Medium ReadOnly,
        "Whether an assertion carries a unique id.";
}
