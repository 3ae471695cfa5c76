//! CAMARA Connected Network Type 0.1: `POST /connected-network-type/v0.1/retrieve`.
//!
//! Source: the contract of connected-network-type 0.1.

use attache_core::{DeviceIdentifier, NetworkType, Problem, Scope};

use super::v0_2;
use crate::{
    Answering, Body, Correlator, Description, Face, Identification, Refusal, Several,
    camara::{device, error, error_v1_0},
};

/// Connected Network Type 0.1.
pub const FACE: Face = Face {
    api: "connected-network-type",
    contract: "0.1",
    version: "v0.1",
    path: "/connected-network-type/v0.1/retrieve",
    is_meant: None,
    scope: Scope::new_static("connected-network-type:read"),
    identification: Identification::TokenOrBody,
    several: Several::MustAgree,
    correlator: Correlator::Short,
    read: device::read,
    answer: Answering::NetworkType(write),
    refuse,
    description: Description { answer: Body::of::<v0_2::Status>(), ..v0_2::DESCRIPTION },
};

/// Writes `ConnectedNetworkTypeResponse`: that of 0.2, without the device.
fn write(answer: &NetworkType, _: Option<&DeviceIdentifier>) -> Vec<u8> {
    v0_2::write(answer, None)
}

fn refuse(problem: &Problem) -> Refusal {
    error_v1_0::refuse(problem, error::UNAUTHENTICATED)
}

#[cfg(test)]
mod tests {
    use attache_core::Technology;

    use super::*;
    use crate::testing::{network_type, phone_number, write_network_type};

    #[test]
    fn the_device_is_never_told() {
        let answer = network_type(Some(Technology::Fifth), Some("2024-02-20T10:41:38.657Z"));
        assert_eq!(
            write_network_type(&FACE, answer, Some(&phone_number("+123456789"))),
            r#"{"lastStatusTime":"2024-02-20T10:41:38.657Z","connectedNetworkType":"5G"}"#
        );
    }
}
