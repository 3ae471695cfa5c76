//! The types of the fields of CAMARA's bodies, by the names that the contracts give them. What a type
//! of ours alone doesn't tell, such as a pattern, is said here.

use attache_core::Technology;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        AllOfBuilder, ArrayBuilder, KnownFormat, ObjectBuilder, Ref, RefOr, Schema, SchemaFormat, Type,
        schema::{AnyOfBuilder, SchemaType},
    },
};

use super::{connected_network_type::v0_2::UNKNOWN, device};

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
}

const LENIENT_PHONE_NUMBER: &str = r"^\+?[0-9]{5,15}$";

/// The phone number of versions before 0.6.
pub(crate) struct LenientPhoneNumber;

impl PartialSchema for LenientPhoneNumber {
    fn schema() -> RefOr<Schema> {
        text().pattern(Some(LENIENT_PHONE_NUMBER)).into()
    }
}

impl ToSchema for LenientPhoneNumber {
    fn name() -> std::borrow::Cow<'static, str> {
        PhoneNumber::name()
    }
}

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
