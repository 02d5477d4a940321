//! What few tasks have, in an allocation of its own that is made when it is first needed.

use crate::scope::Scope;
use aioli_primitives::sync::Mutex;
use std::sync::Arc;

pub(crate) struct Extras {
    name: Mutex<Option<Arc<str>>>,
    /// The task's root scope: touched by the runner only.
    pub(crate) root: Scope,
}

impl Extras {
    pub(super) fn new() -> Self {
        Self {
            name: Mutex::new(None),
            root: Scope::new(),
        }
    }

    /// The name, given by `make` if there is none yet.
    pub(super) fn name_or(&self, make: impl FnOnce() -> Arc<str>) -> Arc<str> {
        self.name.lock().get_or_insert_with(make).clone()
    }

    pub(super) fn set_name(&self, name: Arc<str>) {
        *self.name.lock() = Some(name);
    }
}
