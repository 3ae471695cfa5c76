use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use attache_core::LineId;

use super::demo;
use crate::{admin::api::SubscriberAnswer as Answer, app::App};

/// The rules for lines, as they are set. They are in memory only: a restart forgets them.
#[derive(Default)]
pub(crate) struct Answers(Mutex<HashMap<LineId, Answer>>);

impl Answers {
    /// What the subscriber of a line does.
    pub(crate) fn of(&self, app: &App, line: LineId) -> Answer {
        if let Some(answer) = self.lock().get(&line) {
            return *answer;
        }
        let demo = demo::ANSWERS.iter().find(|(number, _)| {
            number.parse().ok().and_then(|number| app.simulator.get(number)).is_some_and(|known| known.id == line)
        });
        let usual = if app.settings.ask_consent { Answer::Ask } else { Answer::Grant };
        demo.map_or(usual, |(_, answer)| *answer)
    }

    /// Lets the subscriber of a line do this from now on.
    pub(crate) fn set(&self, line: LineId, answer: Answer) {
        self.lock().insert(line, answer);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<LineId, Answer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
