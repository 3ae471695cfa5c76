//! Secrets from the operating system's source of randomness.

use std::cell::RefCell;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// The machine has no randomness to give.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct NoEntropy;

/// `N` random bytes.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], NoEntropy> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| NoEntropy)?;
    Ok(bytes)
}

/// Sixteen random bytes for what needs to be unlike any other but is no secret, such as a correlator:
/// drawn from the system's source many at a time, at a tenth of the cost.
pub(crate) fn distinct() -> Result<[u8; 16], NoEntropy> {
    const DRAWN: usize = 64;
    thread_local! {
        static DRAW: RefCell<Vec<[u8; 16]>> = const { RefCell::new(Vec::new()) };
    }
    DRAW.with_borrow_mut(|draw| {
        if draw.is_empty() {
            draw.extend_from_slice(bytes::<{ DRAWN * 16 }>()?.as_chunks().0);
        }
        draw.pop().ok_or(NoEntropy)
    })
}

/// A text of 256 random bits for what is handed out: codes, `auth_req_id`s, secrets.
pub(crate) fn secret() -> Result<String, NoEntropy> {
    Ok(URL_SAFE_NO_PAD.encode(bytes::<32>()?))
}
