//! The rules that the options of a node make.

use kernel::ErrorCode;
use kernel::option::{Kind, NodeOptions, OptionDef, Overrides, Table, default_value, find_broker};

use super::ConfigRules;
use crate::controller::Refusal;
use crate::image::{ConfigResource, ConfigResourceType};

impl ConfigRules for NodeOptions {
    fn is_list(&self, kind: ConfigResourceType, name: &str) -> bool {
        find(kind, name).is_some_and(|def| def.kind == Kind::List)
    }

    fn default_value(&self, kind: ConfigResourceType, name: &str) -> Option<String> {
        default_value(find(kind, name)?).to_text()
    }

    fn validate(&self, resource: &ConfigResource, old: &Overrides, new: &Overrides) -> Result<(), Refusal> {
        let checked = match resource.kind {
            ConfigResourceType::Topic => self.check_topic(old, new),
            ConfigResourceType::Group => self.check_group(new),
            ConfigResourceType::ClientMetrics => self.check_client_metrics(new),
            ConfigResourceType::Broker | ConfigResourceType::BrokerLogger => {
                self.check_broker(new, !resource.name.is_empty())
            }
        };
        checked.map_err(|error| {
            // Kafka answers so, and clients know it: a broker's value is an invalid request (KAFKA-13609).
            let code = match resource.kind {
                ConfigResourceType::Broker | ConfigResourceType::BrokerLogger => ErrorCode::InvalidRequest,
                // What cannot be read is an invalid value; what can be read and is not allowed, an invalid request.
                ConfigResourceType::ClientMetrics if error.value.is_none() => ErrorCode::InvalidRequest,
                _ => ErrorCode::InvalidConfig,
            };
            Refusal::new(code, error.to_string())
        })
    }
}

fn find(kind: ConfigResourceType, name: &str) -> Option<&'static OptionDef> {
    match kind {
        ConfigResourceType::Topic => Table::Topic.find(name),
        ConfigResourceType::Group => Table::Group.find(name),
        ConfigResourceType::ClientMetrics => Table::ClientMetrics.find(name),
        ConfigResourceType::Broker | ConfigResourceType::BrokerLogger => find_broker(name),
    }
}

#[cfg(test)]
mod tests {
    use kernel::option::{Sources, resolve};

    use super::*;

    fn options() -> NodeOptions {
        NodeOptions::new(resolve(&Sources::default()).expect("nothing is set"))
    }

    #[test]
    fn lists_are_those_of_the_table_with_its_defaults() {
        use ConfigResourceType::{Broker, Topic};
        let options = options();
        assert!(options.is_list(Topic, "cleanup.policy") && !options.is_list(Topic, "retention.ms"));
        assert!(
            !options.is_list(Topic, "log.cleanup.policy") && options.is_list(Broker, "log.cleanup.policy")
        );
        assert_eq!(options.default_value(Topic, "cleanup.policy").as_deref(), Some("delete"));
        assert_eq!(options.default_value(Topic, "no.such.option"), None);
    }

    #[test]
    fn a_value_is_refused_with_the_code_that_kafka_gives() {
        let options = options();
        let code = |resource: &ConfigResource, name: &str, value: &str| {
            let new = Overrides::from([(name.to_owned(), value.to_owned())]);
            options.validate(resource, &Overrides::new(), &new).err().map(|refusal| refusal.code)
        };
        let topic = ConfigResource::topic("t");
        assert_eq!(code(&topic, "retention.ms", "1000"), None);
        assert_eq!(code(&topic, "retention.ms", "soon"), Some(ErrorCode::InvalidConfig));
        assert_eq!(code(&topic, "no.such.option", "1"), Some(ErrorCode::InvalidConfig));
        let broker = ConfigResource::new(ConfigResourceType::Broker, "1");
        assert_eq!(code(&broker, "log.retention.ms", "1000"), None);
        assert_eq!(code(&broker, "node.id", "7"), Some(ErrorCode::InvalidRequest));
        let metrics = ConfigResource::new(ConfigResourceType::ClientMetrics, "m");
        assert_eq!(code(&metrics, "interval.ms", "1"), Some(ErrorCode::InvalidRequest));
        assert_eq!(code(&metrics, "interval.ms", "3600001"), Some(ErrorCode::InvalidRequest));
        assert_eq!(code(&metrics, "interval.ms", "3600000"), None);
        assert_eq!(code(&metrics, "interval.ms", "bbb"), Some(ErrorCode::InvalidConfig));
        assert_eq!(code(&metrics, "no.such.option", "1"), Some(ErrorCode::InvalidRequest));
        assert_eq!(code(&metrics, "match", "no_such_label=x"), Some(ErrorCode::InvalidConfig));
        let group = ConfigResource::new(ConfigResourceType::Group, "g");
        assert_eq!(code(&group, "no.such.option", "1"), Some(ErrorCode::InvalidConfig));
    }
}
