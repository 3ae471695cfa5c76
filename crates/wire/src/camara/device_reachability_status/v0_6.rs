//! CAMARA Device Reachability Status 0.6: `POST /device-reachability-status/v0.6/retrieve`.
//!
//! Source: the contract of device-reachability-status 0.6.1.

use attache_core::{DeviceIdentifier, Problem, Reachability, Scope};
use serde::Serialize;
use utoipa::ToSchema;

use super::v1;
use crate::{
    Answering, Body, Codes, Correlator, Description, Face, Identification, Refusal, Several,
    camara::{
        date_time::Milliseconds, device, device_status::v0_5::ConnectivityStatus, error_v0_6, schema::LastStatusTime,
    },
    json,
};

/// Device Reachability Status 0.6.
pub const FACE: Face = Face {
    api: "device-reachability-status",
    contract: "0.6",
    version: "v0.6",
    path: "/device-reachability-status/v0.6/retrieve",
    is_meant: None,
    scope: Scope::new_static("device-reachability-status:read"),
    identification: Identification::BodyAgreesWithToken,
    several: Several::MustAgree,
    correlator: Correlator::AnyText,
    read: device::read,
    answer: Answering::Reachability(write),
    refuse,
    description: DESCRIPTION,
};

/// What its document says.
pub(crate) const DESCRIPTION: Description = Description {
    answer: Body::of::<Response>(),
    statuses: error_v0_6::STATUSES,
    codes: Codes::Shown,
    ..v1::DESCRIPTION
};

/// `ReachabilityStatusResponse`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ReachabilityStatusResponse)]
pub(crate) struct Response {
    #[schema(value_type = LastStatusTime)]
    last_status_time: Milliseconds,
    reachability_status: ConnectivityStatus,
}

/// Writes `ReachabilityStatusResponse`.
pub(crate) fn write(answer: &Reachability, _: Option<&DeviceIdentifier>) -> Vec<u8> {
    json::write(&Response { last_status_time: Milliseconds(answer.confirmed_at), reachability_status: answer.into() })
}

fn refuse(problem: &Problem) -> Refusal {
    error_v0_6::refuse(problem, "UNABLE_TO_PROVIDE_REACHABILITY_STATUS")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{phone_number, reachability, refusal, write_reachability};

    #[test]
    fn the_best_way_is_told_and_the_device_never() {
        for (data, sms, status) in [
            (true, true, "CONNECTED_DATA"),
            (true, false, "CONNECTED_DATA"),
            (false, true, "CONNECTED_SMS"),
            (false, false, "NOT_CONNECTED"),
        ] {
            let answer = reachability("2024-02-20T10:41:38.657Z", data, sms);
            assert_eq!(
                write_reachability(&FACE, answer, Some(&phone_number("+123456789"))),
                format!(r#"{{"lastStatusTime":"2024-02-20T10:41:38.657Z","reachabilityStatus":"{status}"}}"#)
            );
        }
    }

    #[test]
    fn a_line_never_seen_is_an_error_of_its_own() {
        let (status, body) = refusal(&FACE, &Problem::NeverSeen);
        assert_eq!(status, 422);
        assert!(body.contains(r#""code":"UNABLE_TO_PROVIDE_REACHABILITY_STATUS""#), "{body}");
    }
}
