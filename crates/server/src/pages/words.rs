//! Every sentence of every page, in every language. `{client}`, `{organisation}` and `{line}` stand for what is
//! filled in.

use attache_core::Scope;

use super::Language;

/// The sentences.
pub(crate) struct Words {
    pub(crate) languages: &'static str,
    // The page that asks for consent.
    pub(crate) asks_title: &'static str,
    pub(crate) asks: &'static str,
    pub(crate) asks_for_organisation: &'static str,
    pub(crate) what: &'static str,
    pub(crate) why: &'static str,
    pub(crate) offline: &'static str,
    pub(crate) openid: &'static str,
    pub(crate) until: &'static str,
    pub(crate) self_care_link: &'static str,
    pub(crate) allow: &'static str,
    pub(crate) deny: &'static str,
    // The page on which a sandbox's visitor says which line it is.
    pub(crate) pick_title: &'static str,
    pub(crate) pick: &'static str,
    pub(crate) pick_label: &'static str,
    pub(crate) pick_button: &'static str,
    // The pages of what is wrong.
    pub(crate) gone_title: &'static str,
    pub(crate) gone: &'static str,
    pub(crate) wrong_title: &'static str,
    pub(crate) wrong: &'static str,
    pub(crate) unknown_title: &'static str,
    pub(crate) unknown: &'static str,
    // The page of a subscriber's consents.
    pub(crate) care_title: &'static str,
    pub(crate) care: &'static str,
    pub(crate) care_waiting: &'static str,
    pub(crate) care_in_force: &'static str,
    pub(crate) care_ended: &'static str,
    pub(crate) care_none: &'static str,
    pub(crate) care_withdraw: &'static str,
    pub(crate) care_since: &'static str,
    pub(crate) care_until: &'static str,
    pub(crate) care_not_yours: &'static str,
    pub(crate) care_done: &'static str,
    pub(crate) care_other_line: &'static str,
}

impl Words {
    /// The sentences in a language.
    pub(crate) const fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &ENGLISH,
            Language::French => &FRENCH,
            Language::Spanish => &SPANISH,
            Language::German => &GERMAN,
        }
    }
}

const ENGLISH: Words = Words {
    languages: "Language",
    asks_title: "{client} asks for your permission",
    asks: "{client} wants to know something about your phone line {line}.",
    asks_for_organisation: "{client} of {organisation} wants to know something about your phone line {line}.",
    what: "What it wants to know",
    why: "What it is for",
    offline: "Also later, while you are not using it.",
    openid: "A pseudonym by which it recognises you. It is not told your number.",
    until: "Your permission holds until you withdraw it. You can do that at any time:",
    self_care_link: "your permissions",
    allow: "Allow",
    deny: "Do not allow",
    pick_title: "Which line are you?",
    pick: "This is a sandbox. Outside of it, the mobile network would say whose phone this is; here you say it.",
    pick_label: "Line",
    pick_button: "I am this line",
    gone_title: "This page has expired",
    gone: "It was answered already, or left open for too long, or opened in another browser. Go back to the app and \
           begin again.",
    wrong_title: "This does not work",
    wrong: "The app that sent you here has made a mistake, so you are not sent back to it. Its developers will want to \
            know this:",
    unknown_title: "Your line is not known",
    unknown: "Open this page with your phone, by its mobile connection and without Wi-Fi: the mobile network then says \
              whose line it is.",
    care_title: "Your permissions",
    care: "This is who may know something about your phone line {line}, and what it is for.",
    care_waiting: "Waiting for your answer",
    care_in_force: "In force",
    care_ended: "Ended",
    care_none: "Nobody may know anything.",
    care_withdraw: "Withdraw",
    care_since: "Since",
    care_until: "Until",
    care_not_yours: "This use rests on a contract or on the law, so it does not end here.",
    care_done: "It is withdrawn, and has ended.",
    care_other_line: "Another line",
};

const FRENCH: Words = Words {
    languages: "Langue",
    asks_title: "{client} demande votre autorisation",
    asks: "{client} souhaite connaître une information sur votre ligne {line}.",
    asks_for_organisation: "{client}, de {organisation}, souhaite connaître une information sur votre ligne {line}.",
    what: "Ce que l’application souhaite savoir",
    why: "À quelle fin",
    offline: "Y compris plus tard, lorsque vous ne l’utilisez pas.",
    openid: "Un pseudonyme pour vous reconnaître. Votre numéro ne lui est pas communiqué.",
    until: "Votre autorisation vaut jusqu’à ce que vous la retiriez, ce que vous pouvez faire à tout moment :",
    self_care_link: "vos autorisations",
    allow: "Autoriser",
    deny: "Ne pas autoriser",
    pick_title: "Quelle ligne êtes-vous ?",
    pick: "Ceci est un bac à sable. Ailleurs, le réseau mobile dirait à qui est ce téléphone ; ici, c’est vous qui le \
           dites.",
    pick_label: "Ligne",
    pick_button: "Je suis cette ligne",
    gone_title: "Cette page a expiré",
    gone: "Elle a déjà reçu une réponse, est restée ouverte trop longtemps ou a été ouverte dans un autre navigateur. \
           Retournez dans l’application et recommencez.",
    wrong_title: "Cela ne fonctionne pas",
    wrong: "L’application qui vous a envoyé ici a fait une erreur, vous n’y êtes donc pas renvoyé. Voici ce que ses \
            développeurs voudront savoir :",
    unknown_title: "Votre ligne n’est pas reconnue",
    unknown: "Ouvrez cette page avec votre téléphone, par sa connexion mobile et sans Wi-Fi : le réseau mobile dit alors \
              à qui est la ligne.",
    care_title: "Vos autorisations",
    care: "Voici qui peut connaître une information sur votre ligne {line}, et à quelle fin.",
    care_waiting: "En attente de votre réponse",
    care_in_force: "En vigueur",
    care_ended: "Terminées",
    care_none: "Personne ne peut rien savoir.",
    care_withdraw: "Retirer",
    care_since: "Depuis le",
    care_until: "Jusqu’au",
    care_not_yours: "Cet usage repose sur un contrat ou sur la loi : il ne se termine pas ici.",
    care_done: "L’autorisation est retirée et n’a plus d’effet.",
    care_other_line: "Une autre ligne",
};

const SPANISH: Words = Words {
    languages: "Idioma",
    asks_title: "{client} le pide permiso",
    asks: "{client} quiere saber algo sobre su línea {line}.",
    asks_for_organisation: "{client}, de {organisation}, quiere saber algo sobre su línea {line}.",
    what: "Qué quiere saber",
    why: "Para qué",
    offline: "También más adelante, cuando no la esté usando.",
    openid: "Un seudónimo para reconocerle. No se le comunica su número.",
    until: "Su permiso vale hasta que lo retire. Puede hacerlo en cualquier momento:",
    self_care_link: "sus permisos",
    allow: "Permitir",
    deny: "No permitir",
    pick_title: "¿Qué línea es usted?",
    pick: "Esto es un entorno de pruebas. Fuera de él, la red móvil diría de quién es este teléfono; aquí lo dice usted.",
    pick_label: "Línea",
    pick_button: "Soy esta línea",
    gone_title: "Esta página ha caducado",
    gone: "Ya se respondió, se dejó abierta demasiado tiempo o se abrió en otro navegador. Vuelva a la aplicación y \
           empiece de nuevo.",
    wrong_title: "Esto no funciona",
    wrong: "La aplicación que le ha enviado aquí ha cometido un error, por lo que no se le devuelve a ella. Esto es lo \
            que querrán saber sus desarrolladores:",
    unknown_title: "No se reconoce su línea",
    unknown: "Abra esta página con su teléfono, por su conexión móvil y sin wifi: la red móvil dice entonces de quién es \
              la línea.",
    care_title: "Sus permisos",
    care: "Estos son quienes pueden saber algo sobre su línea {line}, y para qué.",
    care_waiting: "A la espera de su respuesta",
    care_in_force: "En vigor",
    care_ended: "Terminados",
    care_none: "Nadie puede saber nada.",
    care_withdraw: "Retirar",
    care_since: "Desde el",
    care_until: "Hasta el",
    care_not_yours: "Este uso se basa en un contrato o en la ley, por lo que no termina aquí.",
    care_done: "El permiso está retirado y ya no tiene efecto.",
    care_other_line: "Otra línea",
};

const GERMAN: Words = Words {
    languages: "Sprache",
    asks_title: "{client} bittet um Ihre Erlaubnis",
    asks: "{client} möchte etwas über Ihren Mobilfunkanschluss {line} erfahren.",
    asks_for_organisation: "{client} von {organisation} möchte etwas über Ihren Mobilfunkanschluss {line} erfahren.",
    what: "Was die App erfahren möchte",
    why: "Wofür",
    offline: "Auch später, während Sie sie nicht benutzen.",
    openid: "Ein Pseudonym, an dem sie Sie wiedererkennt. Ihre Nummer erfährt sie nicht.",
    until: "Ihre Erlaubnis gilt, bis Sie sie widerrufen. Das können Sie jederzeit:",
    self_care_link: "Ihre Erlaubnisse",
    allow: "Erlauben",
    deny: "Nicht erlauben",
    pick_title: "Welcher Anschluss sind Sie?",
    pick: "Dies ist eine Testumgebung. Sonst würde das Mobilfunknetz sagen, wessen Telefon das ist; hier sagen Sie es.",
    pick_label: "Anschluss",
    pick_button: "Ich bin dieser Anschluss",
    gone_title: "Diese Seite ist abgelaufen",
    gone: "Sie wurde schon beantwortet, war zu lange offen oder wurde in einem anderen Browser geöffnet. Gehen Sie zurück \
           zur App und beginnen Sie von vorn.",
    wrong_title: "Das geht nicht",
    wrong: "Die App, die Sie hierher geschickt hat, hat einen Fehler gemacht; darum werden Sie nicht zu ihr \
            zurückgeschickt. Ihre Entwickler werden das wissen wollen:",
    unknown_title: "Ihr Anschluss ist nicht bekannt",
    unknown: "Öffnen Sie diese Seite mit Ihrem Telefon, über seine Mobilfunkverbindung und ohne WLAN: Das Mobilfunknetz \
              sagt dann, wessen Anschluss es ist.",
    care_title: "Ihre Erlaubnisse",
    care: "Diese dürfen etwas über Ihren Mobilfunkanschluss {line} erfahren, und dafür.",
    care_waiting: "Wartet auf Ihre Antwort",
    care_in_force: "In Kraft",
    care_ended: "Beendet",
    care_none: "Niemand darf etwas erfahren.",
    care_withdraw: "Widerrufen",
    care_since: "Seit dem",
    care_until: "Bis zum",
    care_not_yours: "Diese Nutzung beruht auf einem Vertrag oder auf dem Gesetz, darum endet sie nicht hier.",
    care_done: "Die Erlaubnis ist widerrufen und gilt nicht mehr.",
    care_other_line: "Ein anderer Anschluss",
};

/// The column of a language in the tables below.
const fn column(language: Language) -> usize {
    match language {
        Language::English => 0,
        Language::French => 1,
        Language::Spanish => 2,
        Language::German => 3,
    }
}

const ROAMING: [&str; 4] = [
    "Whether your phone is abroad, and in which country",
    "Si votre téléphone est à l’étranger, et dans quel pays",
    "Si su teléfono está en el extranjero, y en qué país",
    "Ob Ihr Telefon im Ausland ist, und in welchem Land",
];
const REACHABILITY: [&str; 4] = [
    "Whether your phone can be reached, by data or by SMS",
    "Si votre téléphone est joignable, par données ou par SMS",
    "Si su teléfono está localizable, por datos o por SMS",
    "Ob Ihr Telefon erreichbar ist, über Daten oder über SMS",
];
const NETWORK_TYPE: [&str; 4] = [
    "By which kind of network your phone is connected, such as 4G or 5G",
    "Par quel type de réseau votre téléphone est connecté, comme la 4G ou la 5G",
    "Por qué tipo de red está conectado su teléfono, como 4G o 5G",
    "Über welche Art von Netz Ihr Telefon verbunden ist, etwa 4G oder 5G",
];
const STATUS: [&str; 4] =
    ["The status of your phone", "L’état de votre téléphone", "El estado de su teléfono", "Den Zustand Ihres Telefons"];
const CHANGES: [&str; 4] = [
    ", and to be told when that changes",
    ", et être prévenue quand cela change",
    ", y que se le avise cuando cambie",
    ", und benachrichtigt werden, wenn sich das ändert",
];

/// What a scope lets its bearer know, in plain words.
fn use_of(language: Language, scope: &str) -> String {
    let what = if scope.contains("network-type") {
        NETWORK_TYPE
    } else if scope.contains("roaming") {
        ROAMING
    } else if scope.contains("reachability") || scope.contains("connectivity") {
        REACHABILITY
    } else {
        STATUS
    };
    let changes = if scope.contains("subscription") { CHANGES[column(language)] } else { "" };
    format!("{}{changes}", what[column(language)])
}

/// What scopes let their bearer know, in plain words: each thing once.
pub(crate) fn uses(language: Language, scopes: &[Scope]) -> Vec<String> {
    let mut uses = Vec::new();
    for scope in scopes {
        let said = use_of(language, scope.as_str());
        if !uses.contains(&said) {
            uses.push(said);
        }
    }
    uses
}

/// Purposes of the W3C Data Privacy Vocabulary in plain words.
const PURPOSES: &[(&str, [&str; 4])] = &[
    (
        "FraudPreventionAndDetection",
        [
            "To prevent and detect fraud",
            "Prévenir et détecter la fraude",
            "Prevenir y detectar el fraude",
            "Um Betrug zu verhindern und zu erkennen",
        ],
    ),
    (
        "RequestedServiceProvision",
        [
            "To provide the service that you asked for",
            "Fournir le service que vous avez demandé",
            "Prestar el servicio que usted ha pedido",
            "Um den Dienst zu erbringen, den Sie verlangt haben",
        ],
    ),
    (
        "ServiceProvision",
        ["To provide its service", "Fournir son service", "Prestar su servicio", "Um ihren Dienst zu erbringen"],
    ),
    (
        "ServiceOptimisation",
        ["To improve its service", "Améliorer son service", "Mejorar su servicio", "Um ihren Dienst zu verbessern"],
    ),
    (
        "ServicePersonalisation",
        [
            "To adapt its service to you",
            "Adapter son service à vous",
            "Adaptar su servicio a usted",
            "Um ihren Dienst an Sie anzupassen",
        ],
    ),
    (
        "Personalisation",
        [
            "To adapt what it offers to you",
            "Adapter son offre à vous",
            "Adaptar su oferta a usted",
            "Um ihr Angebot an Sie anzupassen",
        ],
    ),
    ("Marketing", ["For marketing", "Pour du marketing", "Para marketing", "Für Marketing"]),
    ("Advertising", ["For advertising", "Pour de la publicité", "Para publicidad", "Für Werbung"]),
    (
        "PersonalisedAdvertising",
        [
            "For advertising that is made for you",
            "Pour de la publicité personnalisée",
            "Para publicidad personalizada",
            "Für Werbung, die auf Sie zugeschnitten ist",
        ],
    ),
    (
        "IdentityVerification",
        ["To verify who you are", "Vérifier votre identité", "Comprobar su identidad", "Um Ihre Identität zu prüfen"],
    ),
    (
        "EnforceSecurity",
        [
            "To keep its service safe",
            "Assurer la sécurité de son service",
            "Mantener seguro su servicio",
            "Um ihren Dienst zu sichern",
        ],
    ),
    (
        "CreditChecking",
        [
            "To check your credit",
            "Vérifier votre solvabilité",
            "Comprobar su solvencia",
            "Um Ihre Kreditwürdigkeit zu prüfen",
        ],
    ),
    (
        "PaymentManagement",
        ["To handle your payments", "Gérer vos paiements", "Gestionar sus pagos", "Um Ihre Zahlungen abzuwickeln"],
    ),
    (
        "ResearchAndDevelopment",
        [
            "For research and development",
            "Pour la recherche et le développement",
            "Para investigación y desarrollo",
            "Für Forschung und Entwicklung",
        ],
    ),
    ("LegalCompliance", ["To comply with the law", "Respecter la loi", "Cumplir la ley", "Um das Gesetz zu befolgen"]),
    (
        "NotApplicable",
        [
            "It does not say what for",
            "L’application ne dit pas à quelle fin",
            "No dice para qué",
            "Die App sagt nicht, wofür",
        ],
    ),
];

/// What a purpose means, in plain words; of one that is not in the table, the words that its name is made of.
pub(crate) fn purpose(language: Language, purpose: &str) -> String {
    let name = purpose.strip_prefix("dpv:").unwrap_or(purpose);
    if let Some((_, words)) = PURPOSES.iter().find(|(known, _)| *known == name) {
        return words[column(language)].to_owned();
    }
    let mut words = String::with_capacity(name.len() + 8);
    for character in name.chars() {
        if character.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(character);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_use_is_told_once_and_in_every_language() {
        let scopes = ["device-roaming-status:read", "device-status:roaming:read", "device-status-roaming-read"]
            .map(|scope| scope.parse().unwrap());
        for language in Language::ALL {
            assert_eq!(uses(language, &scopes).len(), 1);
            let changes: Scope = "device-roaming-status-subscriptions:create".parse().unwrap();
            assert!(uses(language, &[changes])[0].len() > uses(language, &scopes)[0].len());
        }
    }

    #[test]
    fn a_purpose_without_translation_is_told_by_its_words() {
        assert_eq!(purpose(Language::German, "dpv:Marketing"), "Für Marketing");
        assert_eq!(purpose(Language::German, "dpv:VendorSelectionAssessment"), "Vendor Selection Assessment");
    }
}
