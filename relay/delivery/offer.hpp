#pragma once
/// One message and several hosts: what the first have said, and what is left for the next. Pure.

#include "relay/delivery/ports.hpp"

namespace relay::delivery {

/// Whether another host should be asked at once: some recipients were deferred by a reply (RFC 5321 section 5.1), or
/// refused for want of what only this host lacks (REQUIRETLS, RFC 8689 section 4.2.1).
/// Not behind an end of data whose answer was lost: it may have been delivered.
[[nodiscard]] bool may_offer_again(const smtp::MessageOutcome& outcome);

/// The host was asked about nobody: it lacks what the message demands.
[[nodiscard]] bool is_of_that_host(const smtp::MessageOutcome& outcome);

/// Adds what a host said of the recipients that it was given to what the hosts before said. That the content could
/// not be read for a second host is no word of that host: nothing changes. Nor does it where it lacks what the message demands
/// and one before, which has it, asked to come again.
void note_answers(Job& job, const smtp::MessageOutcome& outcome);

/// A host is left that was not asked: what failed for want of what the others lack is not final. It is deferred, with the
/// same words.
void leave_open(Job& job);

/// Leaves in the job's message the recipients that were deferred, for the next host.
void keep_deferred(Job& job, const smtp::MessageOutcome& outcome);

/// The outcome for all of a job's recipients. A recipient that the last host did not judge keeps what the one
/// before said.
[[nodiscard]] smtp::MessageOutcome whole_outcome(const Job& job, smtp::MessageOutcome last);

/// Every recipient failed with this reply; of a job that a host has judged, none: it keeps what the host said.
[[nodiscard]] smtp::MessageOutcome judged(const Job& job, const mail::Reply& verdict);

}  // namespace relay::delivery
