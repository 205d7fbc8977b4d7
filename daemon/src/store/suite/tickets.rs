//! Tickets: one a matter, in one daemon's hands at a time.

use super::Ended;
use super::fixtures::{NOW, later, open};
use jiff::SignedDuration;
use lapsed::store::{About, DatabaseSettings, Ticket, TicketState};
use lapsed_connectors::tickets::ProblemType;
use uuid::Uuid;

const LEASE: SignedDuration = SignedDuration::from_secs(60);
const LONGEST: SignedDuration = SignedDuration::from_mins(15);

fn ticket(number: u128) -> Ticket {
    Ticket {
        id: Uuid::nil(),
        problem: ProblemType::SetAside,
        about: About::SetAside(Uuid::from_u128(number)),
        round: 0,
        case: None,
        person: None,
        connector: None,
        subject: "subject".into(),
        text: "text".into(),
        state: TicketState::Queued,
        number: None,
        page: None,
        attempts: 0,
        trouble: None,
        comment: None,
        gone_at: None,
        created_at: NOW,
        next_at: NOW,
        opened_at: None,
        closed_at: None,
        acted_at: None,
        leased_until: None,
        token: 0,
    }
}

/// Two daemons share the queue, and a slow one can't write over its successor.
pub async fn a_ticket_is_in_one_daemons_hands_at_a_time(settings: &DatabaseSettings) -> Ended {
    let (one, other) = (open(settings).await?, open(settings).await?);
    let tx = one.begin().await?;
    for number in 0..5 {
        assert!(tx.queue_ticket(&ticket(number)).await?);
    }
    tx.commit().await?;
    assert_eq!(one.read().next_ticket_at(true).await?, Some(NOW));
    assert_eq!(one.read().next_ticket_at(false).await?, None, "no more may be opened");
    let mine = one.claim_tickets(("one", NOW), LEASE, LONGEST, 3, 3).await?;
    let theirs = other.claim_tickets(("other", NOW), LEASE, LONGEST, 10, 10).await?;
    assert_eq!((mine.len(), theirs.len()), (3, 2));
    assert!(mine.iter().all(|ticket| theirs.iter().all(|their| their.id != ticket.id)));
    assert!(mine.iter().all(|ticket| ticket.attempts == 1), "one attempt is on storage");
    assert_eq!(one.read().next_ticket_at(true).await?, Some(later(60)), "all are in hand");

    let taken_over = other.claim_tickets(("other", later(61)), LEASE, LONGEST, 10, 10).await?;
    assert_eq!(taken_over.len(), 5);
    let tx = one.begin().await?;
    let late = Ticket { state: TicketState::Open, ..mine[0].clone() };
    assert!(!tx.set_ticket(&late).await?, "the slow one is fenced off");
    tx.commit().await?;
    let tx = other.begin().await?;
    for ticket in taken_over {
        let opened = Ticket {
            state: TicketState::Open,
            number: Some("7".into()),
            opened_at: Some(later(61)),
            next_at: later(600),
            ..ticket
        };
        assert!(tx.set_ticket(&opened).await?);
    }
    tx.commit().await?;
    assert_eq!(one.read().tickets_opened_since(NOW).await?, 5);
    assert_eq!(one.read().next_ticket_at(true).await?, Some(later(600)));
    assert!(one.claim_tickets(("one", later(599)), LEASE, LONGEST, 10, 10).await?.is_empty());

    // The clock was a day ahead when that was written, and is right now.
    let set_back = later(600 - 86_400);
    let found = one.claim_tickets(("one", set_back), LEASE, LONGEST, 10, 10).await?;
    assert_eq!(found.len(), 5, "nobody waits until that day has come");
    let again = other.claim_tickets(("other", set_back), LEASE, LONGEST, 10, 10).await?;
    assert!(again.is_empty(), "they are in hand");
    Ok(())
}

/// A matter that comes again after its ticket was resolved is a new one, and one that was rejected is a
/// person's to decide.
pub async fn a_matter_has_one_ticket_at_a_time(settings: &DatabaseSettings) -> Ended {
    let store = open(settings).await?;
    let ends = [TicketState::Resolved, TicketState::Withdrawn, TicketState::Rejected];
    for (round, end) in (0..).zip(ends) {
        let tx = store.begin().await?;
        assert!(tx.queue_ticket(&ticket(1)).await?, "round {round}");
        assert!(!tx.queue_ticket(&ticket(1)).await?, "it has one");
        tx.commit().await?;
        let mut claimed = store.claim_tickets(("one", NOW), LEASE, LONGEST, 10, 10).await?;
        assert_eq!(claimed.len(), 1);
        let one = claimed.remove(0);
        assert_eq!((one.round, one.id), (round, one.about.ticket(round)));
        let tx = store.begin().await?;
        assert!(tx.set_ticket(&Ticket { state: end, closed_at: Some(NOW), ..one }).await?);
        tx.commit().await?;
    }
    let tx = store.begin().await?;
    assert!(!tx.queue_ticket(&ticket(1)).await?, "it was rejected");
    tx.commit().await?;
    let keys: std::collections::BTreeSet<String> =
        store.read().tickets(&[]).await?.iter().map(|ticket| ticket.key().to_string()).collect();
    assert_eq!(keys.len(), 3, "each round has a key of its own");
    Ok(())
}
