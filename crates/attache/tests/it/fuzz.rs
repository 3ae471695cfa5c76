//! Schemathesis makes up requests by CAMARA's contracts, good and bad, and holds what the running
//! server answers against them. The contracts are in `../shared` beside the repository; elsewhere this
//! test finds nothing to compare and passes. What was asked and answered stands in `target/fuzz`
//! afterwards, which `cargo xtask test` prints.

mod needs_python {
    use std::{
        io::Write,
        path::{Path, PathBuf},
        process::{Command, Stdio},
    };

    use serde_json::{Value, json};

    use crate::{faces::CAMARA, harness::Attache};

    const LINE: &str = "+33639980001";
    const ROAMING: &str = "device-roaming-status:read";
    const REACHABILITY: &str = "device-reachability-status:read";
    const NETWORK_TYPE: &str = "connected-network-type:read";

    /// A contract, the path below which it is served, its operation, its scope, and what a request with a
    /// token for a line names: nothing, or a phone number that must agree.
    type Version = [&'static str; 5];

    const SERVED: [Version; 8] = [
        ["device-roaming-status/1.1", "/device-roaming-status/v1", "/retrieve", ROAMING, "none"],
        ["device-roaming-status/0.6", "/device-roaming-status/v0.6", "/retrieve", ROAMING, "none"],
        ["device-reachability-status/1.1", "/device-reachability-status/v1", "/retrieve", REACHABILITY, "none"],
        ["device-reachability-status/0.6", "/device-reachability-status/v0.6", "/retrieve", REACHABILITY, "none"],
        ["connected-network-type/0.2", "/connected-network-type/v0.2", "/retrieve", NETWORK_TYPE, "none"],
        ["connected-network-type/0.1", "/connected-network-type/v0.1", "/retrieve", NETWORK_TYPE, "none"],
        ["device-status/0.5.1", "/device-status/v0", "/roaming", "device-status:roaming:read", "phone"],
        ["device-status/0.5.1", "/device-status/v0", "/connectivity", "device-status:connectivity:read", "phone"],
    ];

    const PINS: [&str; 6] =
        ["--pin", "device-roaming-status=1.0", "--pin", "device-reachability-status=1.0", "--pin", "device-status=0.4"];

    const PINNED: [Version; 3] = [
        ["device-roaming-status/1.0", "/device-roaming-status/v1", "/retrieve", ROAMING, "none"],
        ["device-reachability-status/1.0", "/device-reachability-status/v1", "/retrieve", REACHABILITY, "none"],
        ["device-status/0.4.1", "/device-status/v0", "/roaming", "device-status-roaming-read", "msisdn"],
    ];

    /// The runs over some versions, with tokens for a line or for none.
    fn runs(attache: &Attache, versions: &[Version], line: Option<&str>, contracts: &Path) -> Vec<Value> {
        let run = |[contract, root, path, scope, device]: &Version| {
            let scope = format!("dpv:FraudPreventionAndDetection {scope}");
            let token = match line {
                Some(line) => CAMARA.three_legged(attache, line, &scope),
                None => CAMARA.two_legged(attache, &scope),
            };
            json!({
                "name": format!("{contract} {path}, {}-legged", if line.is_some() { 3 } else { 2 }),
                "contract": contracts.join(contract).join("openapi.yaml"),
                "url": attache.url(root),
                "path": path,
                "token": token,
                "line": line,
                "device": device,
                "phases": "examples,coverage,fuzzing",
                "examples": 60,
            })
        };
        versions.iter().map(run).collect()
    }

    /// The same over all versions of the APIs of subscriptions. Each has four operations, so of each less is
    /// made up.
    fn runs_of_subscriptions(attache: &Attache, line: Option<&str>, contracts: &Path) -> Vec<Value> {
        let sandbox = attache.facts();
        let faces = sandbox["publishers"]["camara"]["subscriptions"].as_array().unwrap();
        // Four APIs, two of them in three versions.
        assert_eq!(faces.len(), 9, "every version that is served: {faces:?}");
        let run = |face: &Value| {
            let text = |name: &str| face[name].as_str().unwrap();
            let types = face["types"].as_array().unwrap().iter().map(|known| known["scope"].as_str().unwrap());
            let scopes: Vec<&str> = types.chain([text("read_scope"), text("delete_scope")]).collect();
            let scope = format!("dpv:FraudPreventionAndDetection {}", scopes.join(" "));
            let token = match line {
                Some(line) => CAMARA.three_legged(attache, line, &scope),
                None => CAMARA.two_legged(attache, &scope),
            };
            let is_webhook = text("api") == "device-status";
            let contract =
                if is_webhook { "device-status/0.5.1" } else { &format!("{}/{}", text("api"), text("contract")) };
            json!({
                "name": format!("{contract} /subscriptions, {}-legged", if line.is_some() { 3 } else { 2 }),
                "contract": contracts.join(contract).join("openapi.yaml"),
                "url": text("url").strip_suffix("/subscriptions").unwrap(),
                "path": "/subscriptions",
                "token": token,
                "line": line,
                "device": if is_webhook || text("contract") == "0.6" { "phone" } else { "none" },
                "webhook": is_webhook,
                "phases": "coverage,fuzzing",
                "examples": 15,
            })
        };
        faces.iter().map(run).collect()
    }

    /// Where the contracts are, if they are at hand.
    fn contracts() -> Option<PathBuf> {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/camara").canonicalize().ok()
    }

    /// Asks what can be asked once, with tokens for a line or for none.
    fn fuzz(line: Option<&str>) {
        let Some(contracts) = contracts() else { return };
        let (served, pinned) = (Attache::sandbox(), Attache::with(&PINS));
        let mut runs = runs(&served, &SERVED, line, &contracts);
        runs.extend(self::runs(&pinned, &PINNED, line, &contracts));
        schemathesis(&runs, if line.is_some() { "3-legged.md" } else { "2-legged.md" });
    }

    /// Subscribes, reads, lists and deletes, with tokens for a line or for none.
    fn fuzz_subscriptions(line: Option<&str>) {
        let Some(contracts) = contracts() else { return };
        let served = Attache::sandbox();
        let runs = runs_of_subscriptions(&served, line, &contracts);
        schemathesis(&runs, if line.is_some() { "subscriptions-3-legged.md" } else { "subscriptions-2-legged.md" });
    }

    /// Runs Schemathesis, which writes its figures into a file.
    fn schemathesis(runs: &[Value], figures_file: &str) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let figures = root.join("target/fuzz");
        std::fs::create_dir_all(&figures).unwrap();
        let figures = figures.canonicalize().unwrap().join(figures_file);
        let mut python = Command::new(root.join("target/tools/python/bin/python"))
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fuzz.py"))
            .arg(figures)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        python.stdin.take().unwrap().write_all(Value::from(runs.to_vec()).to_string().as_bytes()).unwrap();
        let output = python.wait_with_output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    }

    #[test]
    #[ignore = "needs Python: cargo xtask test"]
    fn nothing_that_schemathesis_asks_with_a_token_for_no_line_gets_an_answer_against_its_contract() {
        fuzz(None);
    }

    #[test]
    #[ignore = "needs Python: cargo xtask test"]
    fn nothing_that_schemathesis_asks_with_a_token_for_a_line_gets_an_answer_against_its_contract() {
        fuzz(Some(LINE));
    }

    #[test]
    #[ignore = "needs Python: cargo xtask test"]
    fn nothing_that_schemathesis_subscribes_to_with_a_token_for_no_line_gets_an_answer_against_its_contract() {
        fuzz_subscriptions(None);
    }

    #[test]
    #[ignore = "needs Python: cargo xtask test"]
    fn nothing_that_schemathesis_subscribes_to_with_a_token_for_a_line_gets_an_answer_against_its_contract() {
        fuzz_subscriptions(Some(LINE));
    }
}
