use http::{HeaderMap, header};

/// A language that pages are written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Language {
    English,
    French,
    Spanish,
    German,
}

impl Language {
    pub(crate) const ALL: [Self; 4] = [Self::English, Self::French, Self::Spanish, Self::German];

    /// Its tag (BCP 47).
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
            Self::Spanish => "es",
            Self::German => "de",
        }
    }

    /// What it calls itself.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::French => "Français",
            Self::Spanish => "Español",
            Self::German => "Deutsch",
        }
    }

    /// The language of a tag, whatever its region: `fr-CA` is French.
    pub(crate) fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.trim().split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }

    /// The first that is written here of a list in the order of preference, as `ui_locales` has it
    /// (OpenID Connect Core section 3.1.2.1).
    pub(crate) fn first_of(locales: &str) -> Option<Self> {
        locales.split(' ').find_map(Self::of_tag)
    }

    /// What a browser prefers (RFC 9110 section 12.5.4); English, if nothing of it is written here.
    pub(crate) fn preferred(headers: &HeaderMap) -> Self {
        let mut best: Option<(f32, Self)> = None;
        let values = headers.get_all(header::ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
        for range in values.flat_map(|value| value.split(',')) {
            let (tag, quality) = range.split_once(';').unwrap_or((range, ""));
            let quality = quality.trim().strip_prefix("q=").map_or(1.0, |quality| quality.parse().unwrap_or(0.0));
            let Some(language) = Self::of_tag(tag) else { continue };
            if quality > 0.0 && best.is_none_or(|(highest, _)| quality > highest) {
                best = Some((quality, language));
            }
        }
        best.map_or(Self::English, |(_, language)| language)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_most_wanted_language_that_is_written_here_is_taken() {
        for (wanted, language) in [
            ("", Language::English),
            ("it, pt;q=0.5", Language::English),
            ("fr-CA", Language::French),
            ("it, DE;q=0.5, es;q=0.7", Language::Spanish),
            ("de, fr", Language::German),
            ("de;q=0, es;q=0.1", Language::Spanish),
            ("fr;q=nonsense, de;q=0.2", Language::German),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_LANGUAGE, HeaderValue::from_static(wanted))]);
            assert_eq!(Language::preferred(&headers), language, "{wanted}");
        }
        assert_eq!(Language::preferred(&HeaderMap::new()), Language::English);
        assert_eq!(Language::first_of("it fr-FR en"), Some(Language::French));
        assert_eq!(Language::first_of("it"), None);
    }
}
