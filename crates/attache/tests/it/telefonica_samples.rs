//! Telefónica's own samples for Device Status, run to their ends by the interpreters that they are
//! written for, against a sandbox as it starts.
//!
//! The samples aren't in this repository: they are cut out of the publisher's documents at
//! `../shared/vendors` while the test runs. Beside each test stands a table of the lines that had to
//! be changed, and why: [`sample::Edit`]. What a table doesn't list runs as it is printed.
//!
//! These tests are ignored unless they are asked for, since they need what `cargo xtask test` installs
//! (and says by the names of their modules); `telefonica.rs` tells the same story in Rust.

mod sample;

use sample::{CODE_SAMPLES, Edit, Sample, everywhere, last, once};

const GATEWAY: &str = "https://opengateway.aggregator.com";
const ADDRESS: Edit = everywhere(GATEWAY, "{attache}", "address");

/// What the samples print about a line that roams in France, in each language's own words.
const IN_PYTHON: &str = "Roaming? True \n Country: FR (208)";
const IN_JAVASCRIPT: &str = "Roaming? true \nCountry: FR (208)";

/// The samples of the backend flow: an authorization, then the question.
mod backend_flow {
    use super::*;

    mod needs_python {
        use super::*;

        #[test]
        #[ignore = "needs ../shared and Python: cargo xtask test"]
        fn the_python_sample_prints_the_country() {
            let authorization = Sample::fenced("python Sample HTTP using Python", 1).with(&[
                once(
                    "\n# First step:",
                    "import base64\nimport requests\n# First step:",
                    "imports, which it leaves to its reader",
                ),
                ADDRESS,
            ]);
            let question = Sample::fenced("python HTTP with Python", 1).with(&[ADDRESS]);
            let printed = authorization.then(&question).run_by_python();
            assert!(printed.contains(IN_PYTHON), "{printed}");
        }

        #[test]
        #[ignore = "needs ../shared and Python: cargo xtask test"]
        fn the_python_program_of_the_second_document_prints_the_country() {
            let authorization = Sample::between("import requests\n", "API usage\n").with(&[
                once("athorize_url =", "ciba_url =", "typing mistake: it is read as ciba_url"),
                ADDRESS,
                once("https://sandbox.opengateway.agregator.com", "{attache}", "address"),
            ]);
            let question = Sample::between("# DEVICE STATUS\n", "").with(&[
                once(
                    r#"{verify.get("roaming")}"#,
                    "{verify.get('roaming')}",
                    "before Python 3.12, quotes can't be nested",
                ),
                once(
                    r#"{verify.get("countryCode")}"#,
                    "{verify.get('countryCode')}",
                    "before Python 3.12, quotes can't be nested",
                ),
            ]);
            let printed = authorization.then(&question).run_by_python();
            assert!(printed.contains("Roaming: True\nCountry: 262"), "{printed}");
        }
    }

    mod needs_node {
        use super::*;

        #[test]
        #[ignore = "needs ../shared and Node.js: cargo xtask test"]
        fn the_javascript_sample_prints_the_country() {
            let authorization = Sample::fenced("ecmascript HTTP using JavaScript (ES6)", 1).with(&[
                everywhere("\nfetch(", "\nawait fetch(", "not awaited, but the next step needs what it fetches"),
                ADDRESS,
            ]);
            let question = Sample::fenced("ecmascript HTTP using Javascript(ES6)", 1).with(&[
                once(
                    "const myHeaders",
                    "{\nconst myHeaders",
                    "declared twice, as is requestOptions: a block of its own",
                ),
                once("\nfetch(", "\nawait fetch(", "not awaited"),
                ADDRESS,
                last("})", "}", "closes what wasn't opened; here, the block"),
            ]);
            let printed = authorization.then(&question).run_by_node();
            assert!(printed.contains(IN_JAVASCRIPT), "{printed}");
        }
    }

    mod needs_java {
        use super::*;

        const DECLARED: &str = "declared a second time";

        #[test]
        #[ignore = "needs ../shared and Java: cargo xtask test"]
        fn the_java_sample_prints_the_country() {
            let authorization = Sample::fenced("java HTTP using Java", 1).with(&[
                last("Map<Object, Object> data =", "data =", DECLARED),
                last("StringBuilder requestBody =", "requestBody =", DECLARED),
                last("HttpRequest request =", "request =", DECLARED),
                last("HttpResponse<String> response =", "response =", DECLARED),
                last("JSONObject jsonResponse =", "jsonResponse =", DECLARED),
                ADDRESS,
            ]);
            let question = Sample::fenced("java HTTP using Java", 2).with(&[
                once(
                    "JSONObject requestBody =",
                    "JSONObject roamingBody =",
                    "declared a second time, with another type",
                ),
                once("requestBody.put(", "roamingBody.put(", "as the line above"),
                once("requestBody.toString()", "roamingBody.toString()", "as the line above"),
                once("HttpRequest request =", "request =", DECLARED),
                once("HttpResponse<String> response =", "response =", DECLARED),
                once("JSONObject jsonResponse =", "jsonResponse =", DECLARED),
                once(
                    r#"jsonResponse.getString("roaming")"#,
                    r#"String.valueOf(jsonResponse.getBoolean("roaming"))"#,
                    "getString on a boolean",
                ),
                once(
                    r#"jsonResponse.getString("countryCode")"#,
                    r#"String.valueOf(jsonResponse.getInt("countryCode"))"#,
                    "getString on a number",
                ),
                ADDRESS,
            ]);
            let printed = authorization.then(&question).run_by_java();
            assert!(printed.contains("Roaming? true\nCountry: FR (208)"), "{printed}");
        }
    }
}

/// The samples of the frontend flow: a page that sends its visitor to `/authorize`, and a callback that
/// gets a code, then a token, then the answer. The pages are published by the callback's server.
mod frontend_flow {
    use super::{sample::Callback, *};

    const APP: Edit =
        everywhere("my-app-id", "samples", "credentials: an app whose callback URL has the port that the test got");
    const SECRET: Edit = everywhere("my-app-secret", "samples-secret", "credentials");
    const CALLBACK: Edit = once("https://my_app_server", "{app}", "address");

    fn page_with_a_script() -> Sample {
        let script =
            Sample::fenced("ecmascript HTTP using JavaScript (ES6)", 2).with(&[ADDRESS, APP, SECRET, CALLBACK]);
        script.inside("<!DOCTYPE html><script type=\"module\">\n", "</script>\n")
    }

    fn page_with_a_form() -> Sample {
        Sample::fenced("html HTML form", 1).with(&[ADDRESS, APP, CALLBACK])
    }

    mod needs_chromium_and_node_and_python {
        use super::*;

        fn callback() -> Sample {
            let question = Sample::fenced("python HTTP using Python", 2).with(&[
                once(
                    "json.loads(state)",
                    "json.loads(unquote(state))",
                    "the page has encoded it once more than the address does",
                ),
                ADDRESS,
            ]);
            let callback = Sample::fenced("python HTTP using Python", 1).with(&[
                once(
                    "from flask",
                    "import base64, json, requests\nfrom urllib.parse import unquote\nfrom flask",
                    "imports, which it leaves to its reader",
                ),
                APP,
                SECRET,
                ADDRESS,
                once(
                    "    if __name__ == '__main__':\n",
                    "{question}\n    return 'done'\n\nif __name__ == '__main__':\n",
                    "indented into the callback, which returned nothing; here the question is asked",
                ),
                once("        app.run()", "    app.run(port=0)", "a free port"),
            ]);
            callback.holding("{question}", &question.indented(4))
        }

        #[test]
        #[ignore = "needs ../shared, Chromium, Python and Node.js: cargo xtask test"]
        fn the_form_leads_to_the_flask_callback_which_prints_the_country() {
            let printed = Callback::by_python(&callback()).after_the_form(&page_with_a_form(), IN_PYTHON);
            assert!(printed.contains(IN_PYTHON), "{printed}");
        }

        #[test]
        #[ignore = "needs ../shared, Chromium, Python and Node.js: cargo xtask test"]
        fn the_script_leads_to_the_flask_callback_which_prints_the_country() {
            let printed = Callback::by_python(&callback()).after_the_script(&page_with_a_script(), IN_PYTHON);
            assert!(printed.contains(IN_PYTHON), "{printed}");
        }
    }

    mod needs_chromium_and_node {
        use super::*;

        fn callback() -> Sample {
            let question = Sample::fenced("node HTTP using Node.js", 2).with(&[
                once(
                    "JSON.parse(state)",
                    "JSON.parse(decodeURIComponent(state))",
                    "the page has encoded it once more than the address does",
                ),
                once(
                    "const myHeaders",
                    "{\nconst myHeaders",
                    "declared twice, as are requestBody and requestOptions: a block of its own",
                ),
                once("\nfetch(", "\nawait fetch(", "not awaited"),
                ADDRESS,
            ]);
            let callback = Sample::fenced("node HTTP using Node.js", 1).with(&[
                APP,
                SECRET,
                once(
                    "const port = 3000",
                    "const port = 0\napp.use(express.static('static'))",
                    "a free port; the pages are published here",
                ),
                once("(req, res) =>", "async (req, res) =>", "a promise is awaited in it"),
                once("x-www-form-urlencode\"", "x-www-form-urlencoded\"", "typing mistake"),
                once("JSON.stringify({", "new URLSearchParams({", "a JSON body at /token"),
                once("    fetch(", "    await fetch(", "not awaited, but the question needs what it fetches"),
                once(
                    "accessToken = result.access_token\n        })\n",
                    "accessToken = result.access_token\n        })\n{question}\n}\n    res.end()\n",
                    "the question is asked here; the browser waits for an answer",
                ),
                ADDRESS,
                once("app.listen(", "const server = app.listen(", "a free port, told to the test"),
                once(
                    "callback URL is running",
                    "callback URL is running on http://127.0.0.1:${server.address().port}",
                    "a free port, told to the test",
                ),
            ]);
            callback.holding("{question}", &question)
        }

        #[test]
        #[ignore = "needs ../shared, Chromium and Node.js: cargo xtask test"]
        fn the_form_leads_to_the_express_callback_which_prints_the_country() {
            let printed = Callback::by_node(&callback()).after_the_form(&page_with_a_form(), IN_JAVASCRIPT);
            assert!(printed.contains(IN_JAVASCRIPT), "{printed}");
        }

        #[test]
        #[ignore = "needs ../shared, Chromium and Node.js: cargo xtask test"]
        fn the_script_leads_to_the_express_callback_which_prints_the_country() {
            let printed = Callback::by_node(&callback()).after_the_script(&page_with_a_script(), IN_JAVASCRIPT);
            assert!(printed.contains(IN_JAVASCRIPT), "{printed}");
        }
    }
}

#[test]
#[ignore = "needs ../shared: cargo xtask test"]
fn every_http_sample_of_the_document_is_run_above() {
    let printed = sample::titles_of_fenced_blocks();
    let printed: Vec<&str> = printed.iter().map(String::as_str).filter(|title| title.contains("HT")).collect();
    let run = [
        "ecmascript HTTP using JavaScript (ES6)",
        "java HTTP using Java",
        "python Sample HTTP using Python",
        "ecmascript HTTP using Javascript(ES6)",
        "java HTTP using Java",
        "python HTTP with Python",
        "ecmascript HTTP using JavaScript (ES6)",
        "html HTML form",
        "python HTTP using Python",
        "node HTTP using Node.js",
        "python HTTP using Python",
        "node HTTP using Node.js",
    ];
    assert_eq!(printed, run, "in {CODE_SAMPLES}");
}
