//! Mobile country codes and the countries that they stand for.
//!
//! Facts: ITU-T E.212 assignments, compiled from the public tables of the musalbas/mcc-mnc-table and
//! pbakondy/mcc-mnc-list projects. 901 and 902 are international and stand for no country, and so
//! does every code that is not assigned.

use crate::{Mcc, Plmn};

/// A visited country, as a mobile country code tells it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Country(Mcc);

impl Country {
    /// The country of a mobile country code.
    #[must_use]
    pub const fn of(mcc: Mcc) -> Self {
        Self(mcc)
    }

    /// The mobile country code.
    #[must_use]
    pub const fn mcc(self) -> Mcc {
        self.0
    }

    /// Its ISO 3166-1 alpha-2 codes in alphabetical order: none, one or several.
    #[must_use]
    pub fn names(self) -> &'static [&'static str] {
        countries(self.0)
    }
}

/// The ISO 3166-1 alpha-2 codes of the countries that share a mobile country code.
#[must_use]
pub fn countries(mcc: Mcc) -> &'static [&'static str] {
    COUNTRIES.binary_search_by_key(&mcc.number(), |(code, _)| *code).map_or(&[], |index| COUNTRIES[index].1)
}

/// The network by which the simulated network serves a visitor of a country, given as ISO 3166-1
/// alpha-2 code in capitals; `None` for a country without a mobile country code.
#[must_use]
pub fn first_plmn(country: &str) -> Option<Plmn> {
    if let Some((_, plmn)) = FIRST_PLMNS.iter().find(|(code, _)| *code == country) {
        return plmn.parse().ok();
    }
    let (mcc, _) = COUNTRIES.iter().find(|(_, names)| names.contains(&country))?;
    format!("{mcc}01").parse().ok()
}

/// Where network code 01 of the country's first mobile country code is not in common use.
const FIRST_PLMNS: &[(&str, &str)] = &[
    ("AD", "21303"),
    ("AE", "42402"),
    ("AR", "722310"),
    ("BR", "72405"),
    ("CA", "302720"),
    ("CN", "46000"),
    ("CO", "732101"),
    ("FI", "24405"),
    ("GB", "23410"),
    ("HK", "45400"),
    ("ID", "51010"),
    ("IN", "40410"),
    ("JM", "338050"),
    ("JP", "44010"),
    ("KE", "63902"),
    ("KR", "45005"),
    ("MA", "60400"),
    ("MC", "21210"),
    ("MX", "334020"),
    ("MY", "50212"),
    ("NG", "62120"),
    ("NL", "20404"),
    ("PE", "71606"),
    ("PH", "51502"),
    ("SI", "29341"),
    ("TW", "46692"),
    ("US", "310410"),
    ("VE", "73404"),
];

/// In the order of the codes.
const COUNTRIES: &[(u16, &[&str])] = &[
    (202, &["GR"]),
    (204, &["NL"]),
    (206, &["BE"]),
    (208, &["FR"]),
    (212, &["MC"]),
    (213, &["AD"]),
    (214, &["ES"]),
    (216, &["HU"]),
    (218, &["BA"]),
    (219, &["HR"]),
    (220, &["RS"]),
    (221, &["XK"]),
    (222, &["IT"]),
    (225, &["VA"]),
    (226, &["RO"]),
    (228, &["CH"]),
    (230, &["CZ"]),
    (231, &["SK"]),
    (232, &["AT"]),
    (234, &["GB", "GG", "IM", "JE"]),
    (235, &["GB"]),
    (238, &["DK"]),
    (240, &["SE"]),
    (242, &["NO"]),
    (244, &["FI"]),
    (246, &["LT"]),
    (247, &["LV"]),
    (248, &["EE"]),
    (250, &["RU"]),
    (255, &["UA"]),
    (257, &["BY"]),
    (259, &["MD"]),
    (260, &["PL"]),
    (262, &["DE"]),
    (266, &["GI"]),
    (268, &["PT"]),
    (270, &["LU"]),
    (272, &["IE"]),
    (274, &["IS"]),
    (276, &["AL"]),
    (278, &["MT"]),
    (280, &["CY"]),
    (282, &["GE"]),
    (283, &["AM"]),
    (284, &["BG"]),
    (286, &["TR"]),
    (288, &["FO"]),
    (289, &["GE"]),
    (290, &["GL"]),
    (292, &["SM"]),
    (293, &["SI"]),
    (294, &["MK"]),
    (295, &["LI"]),
    (297, &["ME"]),
    (302, &["CA"]),
    (308, &["PM"]),
    (310, &["GU", "MP", "PR", "US", "VI"]),
    (311, &["AS", "GU", "US", "VI"]),
    (312, &["US"]),
    (313, &["PR", "US"]),
    (314, &["US"]),
    (315, &["US"]),
    (316, &["US"]),
    (330, &["PR"]),
    (334, &["MX"]),
    (338, &["JM"]),
    (340, &["BL", "GF", "GP", "MF", "MQ"]),
    (342, &["BB"]),
    (344, &["AG"]),
    (346, &["KY"]),
    (348, &["VG"]),
    (350, &["BM"]),
    (352, &["GD"]),
    (354, &["MS"]),
    (356, &["KN"]),
    (358, &["LC"]),
    (360, &["VC"]),
    (362, &["BQ", "CW", "SX"]),
    (363, &["AW"]),
    (364, &["BS"]),
    (365, &["AI"]),
    (366, &["DM"]),
    (368, &["CU"]),
    (370, &["DO"]),
    (372, &["HT"]),
    (374, &["TT"]),
    (376, &["TC"]),
    (400, &["AZ"]),
    (401, &["KZ"]),
    (402, &["BT"]),
    (404, &["IN"]),
    (405, &["IN"]),
    (410, &["PK"]),
    (412, &["AF"]),
    (413, &["LK"]),
    (414, &["MM"]),
    (415, &["LB"]),
    (416, &["JO"]),
    (417, &["SY"]),
    (418, &["IQ"]),
    (419, &["KW"]),
    (420, &["SA"]),
    (421, &["YE"]),
    (422, &["OM"]),
    (424, &["AE"]),
    (425, &["IL", "PS"]),
    (426, &["BH"]),
    (427, &["QA"]),
    (428, &["MN"]),
    (429, &["NP"]),
    (430, &["AE"]),
    (431, &["AE"]),
    (432, &["IR"]),
    (434, &["UZ"]),
    (436, &["TJ"]),
    (437, &["KG"]),
    (438, &["TM"]),
    (440, &["JP"]),
    (441, &["JP"]),
    (450, &["KR"]),
    (452, &["VN"]),
    (454, &["HK"]),
    (455, &["MO"]),
    (456, &["KH"]),
    (457, &["LA"]),
    (460, &["CN"]),
    (466, &["TW"]),
    (467, &["KP"]),
    (470, &["BD"]),
    (472, &["MV"]),
    (502, &["MY"]),
    (505, &["AU", "CC", "CX", "NF"]),
    (510, &["ID"]),
    (514, &["TL"]),
    (515, &["PH"]),
    (520, &["TH"]),
    (525, &["SG"]),
    (528, &["BN"]),
    (530, &["NZ"]),
    (536, &["NR"]),
    (537, &["PG"]),
    (539, &["TO"]),
    (540, &["SB"]),
    (541, &["VU"]),
    (542, &["FJ"]),
    (543, &["WF"]),
    (544, &["AS"]),
    (545, &["KI"]),
    (546, &["NC"]),
    (547, &["PF"]),
    (548, &["CK"]),
    (549, &["WS"]),
    (550, &["FM"]),
    (551, &["MH"]),
    (552, &["PW"]),
    (553, &["TV"]),
    (554, &["TK"]),
    (555, &["NU"]),
    (602, &["EG"]),
    (603, &["DZ"]),
    (604, &["MA"]),
    (605, &["TN"]),
    (606, &["LY"]),
    (607, &["GM"]),
    (608, &["SN"]),
    (609, &["MR"]),
    (610, &["ML"]),
    (611, &["GN"]),
    (612, &["CI"]),
    (613, &["BF"]),
    (614, &["NE"]),
    (615, &["TG"]),
    (616, &["BJ"]),
    (617, &["MU"]),
    (618, &["LR"]),
    (619, &["SL"]),
    (620, &["GH"]),
    (621, &["NG"]),
    (622, &["TD"]),
    (623, &["CF"]),
    (624, &["CM"]),
    (625, &["CV"]),
    (626, &["ST"]),
    (627, &["GQ"]),
    (628, &["GA"]),
    (629, &["CG"]),
    (630, &["CD"]),
    (631, &["AO"]),
    (632, &["GW"]),
    (633, &["SC"]),
    (634, &["SD"]),
    (635, &["RW"]),
    (636, &["ET"]),
    (637, &["SO"]),
    (638, &["DJ"]),
    (639, &["KE"]),
    (640, &["TZ"]),
    (641, &["UG"]),
    (642, &["BI"]),
    (643, &["MZ"]),
    (645, &["ZM"]),
    (646, &["MG"]),
    (647, &["RE", "YT"]),
    (648, &["ZW"]),
    (649, &["NA"]),
    (650, &["MW"]),
    (651, &["LS"]),
    (652, &["BW"]),
    (653, &["SZ"]),
    (654, &["KM"]),
    (655, &["ZA"]),
    (657, &["ER"]),
    (658, &["SH"]),
    (659, &["SS"]),
    (702, &["BZ"]),
    (704, &["GT"]),
    (706, &["SV"]),
    (708, &["HN"]),
    (710, &["NI"]),
    (712, &["CR"]),
    (714, &["PA"]),
    (716, &["PE"]),
    (722, &["AR"]),
    (724, &["BR"]),
    (730, &["CL"]),
    (732, &["CO"]),
    (734, &["VE"]),
    (736, &["BO"]),
    (738, &["GY"]),
    (740, &["EC"]),
    (742, &["GF"]),
    (744, &["PY"]),
    (746, &["SR"]),
    (748, &["UY"]),
    (750, &["FK"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn mcc(code: &str) -> Mcc {
        format!("{code}01").parse::<Plmn>().unwrap().mcc()
    }

    #[test]
    fn a_code_stands_for_no_one_or_several_countries() {
        assert_eq!(countries(mcc("262")), ["DE"]);
        assert_eq!(countries(mcc("340")), ["BL", "GF", "GP", "MF", "MQ"]);
        assert!(countries(mcc("901")).is_empty());
        assert!(countries(mcc("000")).is_empty());
        assert!(countries(mcc("999")).is_empty());
    }

    #[test]
    fn the_table_is_in_order_and_well_formed() {
        assert!(COUNTRIES.is_sorted_by(|one, next| one.0 < next.0));
        for (code, names) in COUNTRIES {
            assert!(names.is_sorted() && !names.is_empty(), "{code}");
            assert!(
                names.iter().all(|name| name.len() == 2 && name.bytes().all(|byte| byte.is_ascii_uppercase())),
                "{code}"
            );
        }
    }

    #[test]
    fn every_country_has_a_first_network_of_its_own() {
        for (_, names) in COUNTRIES {
            for name in *names {
                let plmn = first_plmn(name).unwrap();
                assert!(countries(plmn.mcc()).contains(name), "{name} {plmn}");
            }
        }
        assert_eq!(first_plmn("DE").unwrap().to_string(), "26201");
        assert_eq!(first_plmn("US").unwrap().to_string(), "310410");
        assert_eq!(first_plmn("AQ"), None);
        assert_eq!(first_plmn("de"), None);
    }
}
