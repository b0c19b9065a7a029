"""A simulated company behind vendor-shaped APIs: what does it contain and what may be relied on?

`Company(seed, start_at)` lives a normal life (leads, quotes, deals, contracts, orders, shipments, revenue plans,
subscriptions, entitlements, invoices, payments, dunning, refunds, renewals, merges, tickets, nightly batches) in
virtual time: the same seed gives the same bytes. `served_app` puts it behind the APIs of Salesforce, Stripe, NetSuite,
Zendesk, RabbitMQ and n8n, in process; `serve` does so on a socket, as does `python -m probes.sandbox`.

Three legal entities: NW-DE (EUR, some GBP), NW-US (USD, 4-4-5 calendar), NW-JP (JPY, posts by daily summary journal).
Uninjected, nothing is ever late: an order is in the ERP within 4 h of the win, its revenue plan within 24 h, its goods
within 72 h; an invoice within 24 h of finalisation; a customer everywhere within 24 h; a subscription within 1 h, its
entitlement within 1 h of it and revoked within 24 h; a qualified lead is converted within 24 h, a renewal opened 90
days before the term ends; a case is routed within 15 minutes of its desk's business time (9 to 17, Monday to Friday); a
payment that failed for good is flagged within 1 h; prices, products and contract terms agree within 24 h; a night's
batch is done between 00:30 and 04:00 of its entity.

Cross references. CRM account -> Stripe customer `metadata.salesforce_account_id`, NetSuite customer `externalid` and
`custentity_stripe_customer`, Zendesk organization `external_id`. Opportunity -> Stripe subscription
`metadata.salesforce_opportunity_id`, NetSuite SalesOrd `externalid` (the id, or `<id>-<entity>` when several entities
deliver), `custbody_sf_opportunity`, `custbody_sf_revision`, `otherrefnum` (= `PO_Number__c`). Stripe invoice ->
CustInvc `externalid` and `otherrefnum` (= number); credit note -> CustCred `externalid`; payment intent -> CustPymt
`externalid`; the invoices of a day of NW-JP -> one Journal `SUM-NW-JP-<currency>-<day>`, those of NW-DE and NW-US ->
one revenue journal `REV-<entity>-<currency>-<day>` beside their documents. Contract -> SalesOrd
`custbody_contract_number|value`, `enddate`, subscription `metadata.contract_number|value|end|currency`. Product2 ->
item `externalid`, `itemid`; Stripe product `metadata`, price `lookup_key` = `<code>-<currency>`. Subscription ->
Entitlement `Stripe_Subscription__c`; Entitlement -> organization `organization_fields.entitlement`; ticket -> Case
`Zendesk_Ticket__c`; run -> its document by `customData`. About 10 % of the copies are dirty (spaces, case, leading
zeros, the 15-character id) and 2 % absent where another of these paths exists.

With `serve` and a real-time company pass `wall_clock()`, else the platforms' `Date` lags behind by the time the history
took. Whoever calls `faults.inject` from Python while a server runs holds `company.lock`.

`company.journal` is the ground truth; `failures` holds a table per domain of what can go wrong; `faults.inject` and
`faults.repair` make and mend failures; the control API (`/control/journal`, `state`, `inject`, `repair`, `advance`)
does the same over HTTP. This package imports nothing of Tieout.
"""

from probes.sandbox.clock import Clock, wall_clock
from probes.sandbox.company import Company
from probes.sandbox.faults import inject, plan_demo, repair
from probes.sandbox.serve import App, Running, serve, served_app

__all__ = ["App", "Clock", "Company", "Running", "inject", "plan_demo", "repair", "serve", "served_app", "wall_clock"]
