//! Orange's Device Reachability Status:
//! `POST /camara/orange-lab/device-reachability-status/v0/retrieve`.
//!
//! Source: the page "Device Reachability Status - CAMARA Sandbox - Orange lab 0.1 Beta". It prints
//! neither the request nor the answer: these are CAMARA device-reachability-status 0.6's.

use attache_core::{Problem, Scope};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{OneOfBuilder, Ref, RefOr, Schema},
};

use super::gateway;
use crate::{
    Answering, Body, Correlator, Description, Face, Identification, Refusal, Several,
    camara::{device, device_reachability_status::v0_6, error::ErrorInfo, error_v0_6},
};

/// Orange's Device Reachability Status.
pub const FACE: Face = Face {
    api: "device-reachability-status",
    contract: "0.1",
    version: "v0",
    path: "/camara/orange-lab/device-reachability-status/v0/retrieve",
    is_meant: None,
    scope: Scope::new_static("device-reachability-status:read"),
    identification: Identification::BodyAgreesWithToken,
    several: Several::FirstKnown,
    correlator: Correlator::Undocumented,
    read: device::read,
    answer: Answering::Reachability(v0_6::write),
    refuse,
    description: Description { error: Body::of::<Error>(), statuses: gateway::STATUSES, ..v0_6::DESCRIPTION },
};

/// An error of the gateway, or of the API behind it.
struct Error;

impl PartialSchema for Error {
    fn schema() -> RefOr<Schema> {
        let of_gateway = Ref::from_schema_name(gateway::Row::name());
        let behind_it = Ref::from_schema_name(ErrorInfo::name());
        OneOfBuilder::new().item(of_gateway).item(behind_it).into()
    }
}

impl ToSchema for Error {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((gateway::Row::name().into(), gateway::Row::schema()));
        gateway::Row::schemas(schemas);
        schemas.push((ErrorInfo::name().into(), ErrorInfo::schema()));
        ErrorInfo::schemas(schemas);
    }
}

/// Writes a problem: by the gateway's list where it has a row, else as CAMARA 0.6 does. What the
/// gateway cannot know, the API behind it says in its own words.
fn refuse(problem: &Problem) -> Refusal {
    if let Some(row) = gateway::row_of(problem) {
        return row.refusal();
    }
    error_v0_6::refuse(problem, "UNABLE_TO_PROVIDE_REACHABILITY_STATUS")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{device, reachability, refusal, write_reachability};

    #[test]
    fn the_request_is_that_of_camara() {
        let body = br#"{"device": {"phoneNumber": "+33699901032"}}"#;
        assert_eq!((FACE.read)(body), Ok(device("+33699901032")));
    }

    #[test]
    fn the_answer_is_that_of_camara() {
        for (data, sms, status) in [
            (false, true, "CONNECTED_SMS"),
            (true, false, "CONNECTED_DATA"),
            (true, true, "CONNECTED_DATA"),
            (false, false, "NOT_CONNECTED"),
        ] {
            assert_eq!(
                write_reachability(&FACE, reachability("2024-02-20T10:41:38.657Z", data, sms), None),
                format!(r#"{{"lastStatusTime":"2024-02-20T10:41:38.657Z","reachabilityStatus":"{status}"}}"#)
            );
        }
    }

    #[test]
    fn what_the_gateway_has_no_row_for_is_said_as_camara_does() {
        assert_eq!(
            refusal(&FACE, &Problem::NeverSeen),
            (
                422,
                r#"{"status":422,"code":"UNABLE_TO_PROVIDE_REACHABILITY_STATUS","message":"the network has no status of this device: it has never been seen"}"#
                    .to_owned()
            )
        );
    }
}
