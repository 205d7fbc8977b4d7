//! What gives access, beside what takes it: a task of its own, so that no departure waits for it.
//!
//! **Flow.** Every round of deciding ends by saying "look again" to this one, which takes access forms from
//! their folder, stops what suspensions stop, settles forms, and plans what they give.
//!
//! **Guarantees.** Two of these rounds never run side by side in one process; of several daemons, the one
//! that has the turn runs it. What both tasks write is read again in the transaction that writes it.

use super::Daemon;
use super::run::log_failure;
use crate::cycle::Cycle;
use crate::cycle::carry_out::CarriedOut;
use std::sync::Arc;

/// Gives access, whenever a round of deciding has ended or a change was carried out.
pub(super) async fn giving(daemon: Arc<Daemon>) {
    loop {
        daemon.give.notified().await;
        let cycle = daemon.urgent_cycle();
        let round = async {
            daemon.give_round(&cycle).await;
            Ok(())
        };
        if let Err(error) = daemon.fenced(round).await {
            log_failure("giving access", &error);
        }
    }
}

impl Daemon {
    /// One round of giving. What fails is told and comes again with the next round.
    pub(super) async fn give_round(&self, cycle: &Cycle) {
        let _alone = self.giving.lock().await;
        let _turn = match self.turn_to_plan().await {
            Ok(Some(turn)) => turn,
            Ok(None) => return,
            Err(error) => return log_failure("asking whose turn it is", &error),
        };
        if let Err(error) = self.take_access_forms().await {
            log_failure("taking access forms", &error);
        }
        match cycle.access_round(self.now()).await {
            Ok(plans) => {
                for (plan, state) in plans {
                    tracing::info!(
                        plan = plan.hash.short(),
                        steps = plan.steps.len(),
                        ?state,
                        "form planned"
                    );
                }
            }
            Err(error) => log_failure("carrying out access forms", &error),
        }
        self.execute.send_modify(|round| *round = round.wrapping_add(1));
    }

    /// What was done may be what the next change of somebody's access waits for: groups for the account, the
    /// password for the groups.
    pub(super) async fn go_on_with_access(&self) {
        let waiting = self.store.read().people_to_grant(self.now()).await;
        let put_back = self.cycle().restorations_that_ended().await;
        if waiting.is_ok_and(|people| !people.is_empty())
            || put_back.is_ok_and(|all| !all.is_empty())
        {
            self.give.notify_one();
        }
    }

    /// Whoever was given something is marked, and decided on at once: a departure that came while the call
    /// was out would wait for the next poll. Wakes as often as something was given and no more: what is
    /// decided without one more step being made wakes nobody.
    pub(super) fn decide_again_after(&self, round: &CarriedOut) {
        if round.given > 0 {
            self.decide.notify_one();
            // It may be another daemon that decides.
            self.wake_others();
        }
    }
}
