//! The types of the fields of CAMARA's bodies, by the names that the contracts give them. What a type
//! of ours alone doesn't tell, such as a pattern, is said here.

use std::borrow::Cow;

use attache_core::{EndReason, SubscriptionStatus, Technology};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        AllOfBuilder, ArrayBuilder, Discriminator, KnownFormat, ObjectBuilder, OneOfBuilder, Ref, RefOr, Schema,
        SchemaFormat, Type,
        schema::{AnyOfBuilder, SchemaType},
    },
};

use super::{connected_network_type::v0_2::UNKNOWN, device, device_status::v0_5_subscriptions, subscription};

/// Defines names for schemas, for the fields whose types in Rust tell less.
macro_rules! schemas {
    ($($(#[$doc:meta])* $name:ident => $schema:expr;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                $schema.into()
            }
        }

        impl ToSchema for $name {}
    )*};
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn formatted(format: KnownFormat) -> ObjectBuilder {
    text().format(Some(SchemaFormat::KnownFormat(format)))
}

fn other_format(format: &str) -> ObjectBuilder {
    text().format(Some(SchemaFormat::Custom(format.to_owned())))
}

fn uri() -> ObjectBuilder {
    other_format("uri")
}

fn integer() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer)
}

schemas! {
    /// A phone number as the line has it.
    PhoneNumber => text().pattern(Some(r"^\+[1-9][0-9]{4,14}$"));
    /// What names a line in one network, such as `line@domain`.
    NetworkAccessIdentifier => text();
    /// One IPv4 address.
    SingleIpv4Addr => formatted(KnownFormat::Ipv4);
    /// A port of TCP or UDP.
    Port => integer().minimum(Some(0)).maximum(Some(u16::MAX));
    /// One IPv6 address.
    DeviceIpv6Address => formatted(KnownFormat::Ipv6);
    /// The MCC of a country.
    CountryCode => integer();
    /// The countries of an MCC.
    CountryName => ArrayBuilder::new().items(text());
    /// An instant.
    LastStatusTime => formatted(KnownFormat::DateTime);
    /// By what a device is connected.
    ConnectedNetworkType => {
        let technologies = Technology::ALL.into_iter().map(Technology::as_str);
        text().enum_values(Some(technologies.chain([UNKNOWN])))
    };
    /// A line's name beyond the network.
    ExternalId => text();
    /// A phone number, with or without its `+`.
    Msisdn => text().pattern(Some(LENIENT_PHONE_NUMBER));
    /// An IPv4 address, perhaps with a mask. Leading zeros are not read.
    Ipv4AddrWithMask => formatted(KnownFormat::Ipv4).pattern(Some(
        r"^(\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])(\.(\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])){3}(\/(\d|[12]\d|3[0-2]))?$",
    ));
    /// An IPv6 address in small letters, without leading zeros, perhaps with a mask.
    Ipv6AddrWithMask => AllOfBuilder::new()
        .item(formatted(KnownFormat::Ipv6))
        .item(ObjectBuilder::new().schema_type(SchemaType::AnyValue).pattern(Some(
            r"^((:|(0?|([1-9a-f][0-9a-f]{0,3}))):)((0?|([1-9a-f][0-9a-f]{0,3})):){0,6}(:|(0?|([1-9a-f][0-9a-f]{0,3})))(\/(([0-9])|([0-9]{2})|(1[0-1][0-9])|(12[0-8])))?$",
        )))
        .item(ObjectBuilder::new().schema_type(SchemaType::AnyValue).pattern(Some(
            r"^((([^:]+:){7}([^:]+))|((([^:]+:)*[^:]+)?::(([^:]+:)*[^:]+)?))(\/.+)?$",
        )));
    /// An HTTP status.
    Status => integer();
    /// By what events are delivered.
    Protocol => text().enum_values(Some(["HTTP"]));
    /// Where events are sent.
    SinkUrl => uri().pattern(Some(r"^https:\/\/.+$"));
    /// A type of events. Which there are, a version tells.
    SubscriptionEventType => text();
    /// What a subscription is about.
    SubscriptionTypes => ArrayBuilder::new()
        .items(Ref::from_schema_name("SubscriptionEventType"))
        .min_items(Some(1))
        .max_items(Some(1));
    /// After how many events a subscription ends.
    SubscriptionMaxEvents => integer().minimum(Some(1));
    /// Which subscription.
    SubscriptionId => text();
    /// An instant.
    DateTime => formatted(KnownFormat::DateTime);
    /// Whether a subscription lives. One that was deleted is not shown.
    ShownStatus => {
        let ended = EndReason::ALL.into_iter().filter(|reason| *reason != EndReason::Deleted);
        let all = ended.map(SubscriptionStatus::Ended).chain([SubscriptionStatus::Active, SubscriptionStatus::Inactive]);
        let mut texts: Vec<&str> = all.map(subscription::status).collect();
        texts.sort_unstable();
        texts.dedup();
        text().enum_values(Some(texts))
    };
    /// What a sink's credential is.
    CredentialType => text().enum_values(Some(["ACCESSTOKEN"]));
    /// How a sink's credential is shown.
    AccessTokenType => text().enum_values(Some(["bearer"]));
    /// Where an event comes from.
    Source => other_format("uri-reference").min_length(Some(1));
    /// The type of an event. Which there are, a version tells.
    EventTypeNotification => text();
    /// The version of `CloudEvents`.
    SpecVersion => text().enum_values(Some([subscription::SPEC_VERSION]));
    /// What an event tells is JSON.
    DataContentType => text().enum_values(Some([subscription::DATA_CONTENT_TYPE]));
    /// Why a subscription began.
    InitiationReason => text().enum_values(Some([subscription::SUBSCRIPTION_CREATED]));
    /// Why a subscription changed.
    UpdateReason => {
        text().enum_values(Some([subscription::SUBSCRIPTION_ACTIVE, subscription::SUBSCRIPTION_INACTIVE]))
    };
    /// Why a subscription ended.
    TerminationReason => {
        text().enum_values(Some(EndReason::ALL.into_iter().filter_map(subscription::termination_reason)))
    };
}

/// Defines schemas that stand in a version in place of others of the same name.
macro_rules! schemas_instead {
    ($($(#[$doc:meta])* $name:ident, $of:expr => $schema:expr;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                $schema.into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                $of.into()
            }
        }
    )*};
}

schemas_instead! {
    /// The phone number of versions before 0.6.
    LenientPhoneNumber, "PhoneNumber" => text().pattern(Some(LENIENT_PHONE_NUMBER));
    /// Where events are sent, in versions whose contract has no pattern.
    AnySinkUrl, "SinkUrl" => uri();
    /// The device of an event, in versions that have no type of its own for it.
    OtherDeviceResponse, "DeviceResponse" => Ref::from_schema_name(device::Device::name());
    /// Which subscription, in 0.6.
    UuidSubscriptionId, "SubscriptionId" => other_format("uuid");
    /// What a subscription is about, in 0.6.
    DetailWithDevice, "CreateSubscriptionDetail" => {
        ObjectBuilder::new().property("device", Ref::from_schema_name(device::Device::name())).required("device")
    };
    /// Why a subscription of device-status 0.5 ended.
    FewTerminationReasons, "TerminationReason" => {
        text().enum_values(Some(EndReason::ALL.into_iter().filter_map(v0_5_subscriptions::termination_reason)))
    };
}

/// The credential of a sink, of which there is one type.
pub(crate) struct SinkCredentialByType;

impl PartialSchema for SinkCredentialByType {
    fn schema() -> RefOr<Schema> {
        let name = subscription::SinkCredential::name();
        let mapping = [("ACCESSTOKEN", format!("#/components/schemas/{name}"))];
        OneOfBuilder::new()
            .item(Ref::from_schema_name(name))
            .discriminator(Some(Discriminator::with_mapping("credentialType", mapping)))
            .into()
    }
}

impl ToSchema for SinkCredentialByType {
    fn name() -> Cow<'static, str> {
        "SinkCredential".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((subscription::SinkCredential::name().into(), subscription::SinkCredential::schema()));
        subscription::SinkCredential::schemas(schemas);
    }
}

const LENIENT_PHONE_NUMBER: &str = r"^\+?[0-9]{5,15}$";

/// An IPv4 address with what tells apart the lines that share it.
pub(crate) struct DeviceIpv4Addr;

impl PartialSchema for DeviceIpv4Addr {
    fn schema() -> RefOr<Schema> {
        let with = |field: &str| ObjectBuilder::new().required("publicAddress").required(field);
        let either = AnyOfBuilder::new().item(with("privateAddress")).item(with("publicPort"));
        AllOfBuilder::new().item(device::Ipv4Address::schema()).item(either).into()
    }
}

impl ToSchema for DeviceIpv4Addr {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        device::Ipv4Address::schemas(schemas);
    }
}

impl PartialSchema for device::DeviceResponse<'_> {
    fn schema() -> RefOr<Schema> {
        let one = ObjectBuilder::new().max_properties(Some(1));
        AllOfBuilder::new().item(Ref::from_schema_name(device::Device::name())).item(one).into()
    }
}

impl ToSchema for device::DeviceResponse<'_> {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((device::Device::name().into(), device::Device::schema()));
        device::Device::schemas(schemas);
    }
}
