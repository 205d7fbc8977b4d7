//! The tables as sea-orm sees them; the columns are explained where they are made, in `migrations/`.

pub(super) use super::access_tables::{
    absences, access_findings, access_forms, entitlements, form_decisions, gates_passed,
    suspensions,
};

/// What is known of each person.
pub(super) mod people {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "people")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) body: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// By what a person is found: employee numbers, user IDs, accounts.
pub(super) mod person_keys {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "person_keys")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) kind: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) value: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) person: Uuid,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What each source said last of each engagement, as digests: the unchanged rows of a full feed cost nothing.
pub(super) mod statement_digests {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "statement_digests")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) source: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) key: String,
        pub(crate) digest: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Every drop that came in, taken or not.
pub(super) mod drops {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "drops")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) sha256: String,
        pub(crate) source: String,
        pub(crate) file_name: String,
        pub(crate) received_at: i64,
        pub(crate) state: String,
        pub(crate) sequence: Option<i64>,
        pub(crate) headcount: Option<i64>,
        pub(crate) as_of: Option<String>,
        pub(crate) counts: String,
        pub(crate) rejection: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Departures.
pub(super) mod cases {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "cases")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) person: Uuid,
        pub(crate) state: String,
        pub(crate) effective_at: i64,
        pub(crate) for_cause: bool,
        pub(crate) disabled_on: Option<String>,
        pub(crate) body: String,
        pub(crate) kind: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Plans and where they stand.
pub(super) mod plans {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "plans")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) hash: String,
        pub(crate) kind: String,
        pub(crate) state: String,
        pub(crate) subject: String,
        pub(crate) created_at: i64,
        pub(crate) body: String,
        pub(crate) findings: String,
        pub(crate) decided_by: Option<String>,
        pub(crate) decided_at: Option<i64>,
        pub(crate) release_expires_at: Option<i64>,
        pub(crate) released_by: String,
        pub(crate) reason: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The journal.
pub(super) mod steps {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "steps")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) plan: String,
        pub(crate) case_id: Uuid,
        pub(crate) person: Uuid,
        pub(crate) connector: String,
        pub(crate) action: String,
        pub(crate) rank: i32,
        pub(crate) destroys: bool,
        pub(crate) for_cause: bool,
        pub(crate) due_on: Option<String>,
        pub(crate) not_before: i64,
        pub(crate) state: String,
        pub(crate) ended: bool,
        pub(crate) attempts: i64,
        pub(crate) first_started_at: Option<i64>,
        pub(crate) changed_at: i64,
        pub(crate) target_key: String,
        pub(crate) body: String,
        pub(crate) state_body: String,
        pub(crate) lease_owner: Option<String>,
        pub(crate) lease_until: Option<i64>,
        pub(crate) lease_token: i64,
        pub(crate) recheck_on: Option<String>,
        pub(crate) recheck_index: i64,
        pub(crate) wish: Option<Uuid>,
        pub(crate) gives: bool,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Orders that nothing of a person be deleted.
pub(super) mod holds {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "holds")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) person: Uuid,
        pub(crate) placed_at: i64,
        pub(crate) lifted_at: Option<i64>,
        pub(crate) review_on: Option<String>,
        pub(crate) body: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What could not be used and waits for a person.
pub(super) mod set_asides {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "set_asides")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) drop_id: Option<Uuid>,
        pub(crate) source: String,
        pub(crate) file_name: String,
        pub(crate) line: Option<i64>,
        pub(crate) reason: String,
        pub(crate) who: Option<String>,
        pub(crate) at: i64,
        pub(crate) settled_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Tickets of the daemon's own.
pub(super) mod tickets {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "tickets")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) problem: String,
        pub(crate) about_kind: String,
        pub(crate) about: Uuid,
        pub(crate) round: i64,
        pub(crate) case_id: Option<Uuid>,
        pub(crate) person: Option<Uuid>,
        pub(crate) connector: Option<String>,
        pub(crate) subject: String,
        pub(crate) body: String,
        pub(crate) state: String,
        pub(crate) number: Option<String>,
        pub(crate) page: Option<String>,
        pub(crate) attempts: i64,
        pub(crate) trouble: Option<String>,
        pub(crate) comment: Option<String>,
        pub(crate) gone_at: Option<i64>,
        pub(crate) created_at: i64,
        pub(crate) next_at: i64,
        pub(crate) opened_at: Option<i64>,
        pub(crate) closed_at: Option<i64>,
        pub(crate) acted_at: Option<i64>,
        pub(crate) lease_owner: Option<String>,
        pub(crate) lease_until: Option<i64>,
        pub(crate) lease_token: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The ledger of user IDs: what was ever seen or given is never given again.
pub(super) mod user_ids {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "user_ids")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) folded: String,
        pub(crate) shown: String,
        pub(crate) person: Option<Uuid>,
        pub(crate) origin: String,
        pub(crate) at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Single values by name.
pub(super) mod settings {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "settings")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) key: String,
        pub(crate) value: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The chained record.
pub(super) mod audit {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "audit")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) seq: i64,
        pub(crate) at_us: i64,
        pub(crate) actor: String,
        pub(crate) event: String,
        pub(crate) person: Option<Uuid>,
        pub(crate) case_id: Option<Uuid>,
        pub(crate) step: Option<Uuid>,
        pub(crate) plan: Option<String>,
        pub(crate) user_id: Option<String>,
        pub(crate) clause: Option<String>,
        pub(crate) detail: String,
        pub(crate) prev: String,
        pub(crate) hash: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// People whose departure is to be looked at.
pub(super) mod to_decide {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "to_decide")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) person: Uuid,
        pub(crate) since: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What those who were asked answered, and by which document.
pub(super) mod documents {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "documents")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) case_id: Uuid,
        pub(crate) step: Uuid,
        pub(crate) sha256: Option<String>,
        pub(crate) bytes: i64,
        pub(crate) file_name: String,
        pub(crate) answer: String,
        pub(crate) reason: Option<String>,
        pub(crate) token_digest: Option<String>,
        pub(crate) filed_by: String,
        pub(crate) filed_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The outbox.
pub(super) mod notices {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "notices")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) kind: String,
        pub(crate) case_id: Option<Uuid>,
        pub(crate) person: Option<Uuid>,
        pub(crate) about: String,
        pub(crate) addressee: String,
        pub(crate) addresses: String,
        pub(crate) subject: String,
        pub(crate) body: String,
        pub(crate) told: String,
        pub(crate) state: String,
        pub(crate) by_digest: bool,
        pub(crate) digest: Option<Uuid>,
        pub(crate) queued_at: i64,
        pub(crate) not_before: i64,
        pub(crate) attempts: i64,
        pub(crate) cause: Option<String>,
        pub(crate) sent_at: Option<i64>,
        pub(crate) lease_owner: Option<String>,
        pub(crate) lease_until: Option<i64>,
        pub(crate) lease_token: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Orders that nothing be deleted of all whom a fact describes.
pub(super) mod population_holds {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "population_holds")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) fact: String,
        pub(crate) value: String,
        pub(crate) placed_at: i64,
        pub(crate) lifted_at: Option<i64>,
        pub(crate) review_on: Option<String>,
        pub(crate) body: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What holds on populations ask of people.
pub(super) mod person_facts {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "person_facts")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) person: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) fact: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) value: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What somebody else needs of a leaver's things.
pub(super) mod wishes {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "wishes")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) person: Uuid,
        pub(crate) kind: String,
        pub(crate) recipient: String,
        pub(crate) at: i64,
        pub(crate) ended_at: Option<i64>,
        pub(crate) body: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Forms of the forms folder that were taken.
pub(super) mod order_forms {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "order_forms")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) content: String,
        pub(crate) sha256: String,
        pub(crate) filed_by: String,
        pub(crate) taken_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
