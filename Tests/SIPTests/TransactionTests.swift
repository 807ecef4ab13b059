import NIOCore
import SIP
import Testing

@Suite("Transactions (RFC 3261 17)")
struct TransactionTests {
    private func make(limit: Int = 100) -> SIPTransactions {
        SIPTransactions(limit: limit, tokens: SIPTokens(SeededGenerator(state: 5)))
    }

    /// Runs the clock to `end` and gives the times (ms) and actions of each step.
    private func run(_ transactions: inout SIPTransactions, until end: Int64) -> [(Int64, SIPTransactionAction)] {
        var result: [(Int64, SIPTransactionAction)] = []
        while let deadline = transactions.deadline, deadline <= milliseconds(end) {
            let time = (deadline - milliseconds(0)).nanoseconds / 1_000_000
            for action in transactions.advance(to: deadline) { result.append((time, action)) }
        }
        return result
    }

    private func answer(_ message: SIPMessage?, _ status: Int, tag: String? = "dev") throws -> SIPMessage {
        guard case .request(let request) = message else { throw SIPParseError.badStartLine }
        return .response(SIPResponse(to: request, from: .udp, status: status, tag: tag))
    }

    // MESSAGE and the like

    @Test("timers E and F: a request is repeated at 0.5, 1, 2, 4, 4 … s and given up after 32 s")
    func repeatsRequests() throws {
        var transactions = make()
        let (id, actions) = transactions.send(
            makeRequest(.message),
            over: .udp,
            sentBy: "192.0.2.1:5060",
            now: milliseconds(0)
        )
        #expect(actions.sentMethods == ["MESSAGE"])
        let later = run(&transactions, until: 40_000)
        #expect(later.dropLast().map(\.0) == [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500])
        #expect(later.last?.0 == 32_000)
        #expect(later.last?.1 == .timeout(try #require(id)))
        #expect(transactions.clientCount == 0)
        #expect(Set(later.dropLast().map { [$0.1].sent.first?.headers.topVia?.branch }).count == 1)
    }

    @Test("a 1xx slows a request down to T2; the answer is given once; timer K absorbs its repeats")
    func absorbsRepeatedAnswers() throws {
        var transactions = make()
        let (id, actions) = transactions.send(makeRequest(.message), over: .udp, sentBy: "h", now: milliseconds(0))
        _ = transactions.receive(try answer(actions.sent.first, 100), from: .udp, now: milliseconds(100))
        #expect(run(&transactions, until: 5000).map(\.0) == [500, 4500])
        let final = try answer(actions.sent.first, 200)
        let delivered = transactions.receive(final, from: .udp, now: milliseconds(5000))
        #expect(delivered.statuses == [200])
        #expect(delivered.contains { if case .response(_, id) = $0 { true } else { false } })
        #expect(transactions.receive(final, from: .udp, now: milliseconds(6000)).isEmpty)
        #expect(transactions.statistics.strayResponses == 0)
        #expect(run(&transactions, until: 20_000).isEmpty)
        #expect(transactions.clientCount == 0)
        _ = transactions.receive(final, from: .udp, now: milliseconds(21_000))
        #expect(transactions.statistics.strayResponses == 1)
    }

    @Test("over TCP nothing is repeated, only the time-out is left")
    func doesNotRepeatOverTCP() throws {
        var transactions = make()
        let (id, actions) = transactions.send(makeRequest(.message), over: .tcp, sentBy: "h", now: milliseconds(0))
        #expect(actions.sent.first?.headers[.via]?.hasPrefix("SIP/2.0/TCP h") == true)
        let later = run(&transactions, until: 40_000)
        #expect(later.map(\.0) == [32_000])
        #expect(later.first?.1 == .timeout(try #require(id)))
        let (_, second) = transactions.send(makeRequest(.message), over: .tcp, sentBy: "h", now: milliseconds(0))
        _ = transactions.receive(try answer(second.sent.first, 200), from: .tcp, now: milliseconds(10))
        #expect(transactions.clientCount == 0)
    }

    @Test("a repeat gets the stored answer and reaches the user once; timer J forgets it after 32 s")
    func answersRepeats() throws {
        var transactions = make()
        let request = makeRequest(.message, branch: "z9hG4bK77")
        let first = transactions.receive(.request(request), from: .udp, now: milliseconds(0))
        guard case .request(_, let id, _) = first.first else {
            Issue.record("not delivered")
            return
        }
        #expect(transactions.receive(.request(request), from: .udp, now: milliseconds(10)).isEmpty)
        let answer = SIPResponse(to: request, from: .udp, status: 200, tag: "t")
        let sent = transactions.respond(id, with: answer, now: milliseconds(20))
        #expect(transactions.receive(.request(request), from: .udp, now: milliseconds(500)) == sent)
        #expect(transactions.statistics.repeatedRequests == 2)
        #expect(run(&transactions, until: 31_999).isEmpty && transactions.serverCount == 1)
        #expect(run(&transactions, until: 32_000).isEmpty && transactions.serverCount == 0)
        #expect(transactions.receive(.request(request), from: .udp, now: milliseconds(33_000)).count == 1)
    }

    @Test("a repeat through a new NAT binding is answered there")
    func answersWhereTheRepeatCameFrom() throws {
        var transactions = make()
        let request = makeRequest(.message, branch: "z9hG4bK77")
        guard
            case .request(_, let id, _) = transactions.receive(.request(request), from: .udp, now: milliseconds(0))
                .first
        else { return }
        _ = transactions.respond(
            id,
            with: SIPResponse(to: request, from: .udp, status: 200, tag: "t"),
            now: milliseconds(0)
        )
        var moved = SIPFlow.udp
        moved.remotePort = 6000
        guard
            case .send(_, let flow) = transactions.receive(.request(request), from: moved, now: milliseconds(500)).first
        else {
            Issue.record("no answer")
            return
        }
        #expect(flow == moved)
    }

    @Test(
        "requests that only look alike are told apart",
        arguments: [
            ("z9hG4bK1", "a", 1, "z9hG4bK2", "a", 1), ("z9hG4bK1", "a", 1, "z9hG4bK1", "b", 1),
            ("z9hG4bK1", "a", 1, "z9hG4bK1", "a", 2),
            ("z3hG9bKx", "a", 1, "z3hG9bKx", "b", 1), ("uuid", "a", 20, "uuid2", "a", 20),
        ]
    )
    func tellsRequestsApart(_ pair: (String, String, UInt32, String, String, UInt32)) {
        var transactions = make()
        let first = makeRequest(.message, callID: pair.1, sequence: pair.2, branch: pair.0)
        let second = makeRequest(.message, callID: pair.4, sequence: pair.5, branch: pair.3)
        #expect(transactions.receive(.request(first), from: .udp, now: milliseconds(0)).count == 1)
        #expect(transactions.receive(.request(second), from: .udp, now: milliseconds(0)).count == 1)
        #expect(transactions.receive(.request(first), from: .udp, now: milliseconds(0)).isEmpty)
    }

    @Test("a full table forgets its oldest answers, never the newest, and stays at its limit")
    func staysBounded() {
        var transactions = make(limit: 10)
        for number in 0..<50 {
            let request = makeRequest(.message, callID: "c\(number)", branch: "z9hG4bK\(number)")
            guard
                case .request(_, let id, _) = transactions.receive(.request(request), from: .udp, now: milliseconds(0))
                    .first
            else {
                Issue.record("dropped")
                return
            }
            _ = transactions.respond(
                id,
                with: SIPResponse(to: request, from: .udp, status: 200, tag: "t"),
                now: milliseconds(0)
            )
            let again = transactions.receive(.request(request), from: .udp, now: milliseconds(1))
            #expect(again.sentMethods == ["200"])
        }
        #expect(transactions.serverCount == 10)
        #expect(transactions.statistics.evictions == 40)
        for number in 0..<10 {
            let request = makeRequest(.message, callID: "d\(number)")
            #expect(transactions.send(request, over: .udp, sentBy: "h", now: milliseconds(0)).id != nil)
        }
        #expect(transactions.send(makeRequest(.message), over: .udp, sentBy: "h", now: milliseconds(0)).id == nil)
        #expect(transactions.statistics.refusals == 1)
    }

    @Test("a forgotten answer leaves nothing behind")
    func forgetsStrangers() {
        var transactions = make()
        let request = makeRequest(.register, branch: "z9hG4bK1")
        guard
            case .request(_, let id, _) = transactions.receive(.request(request), from: .udp, now: milliseconds(0))
                .first
        else { return }
        let response = SIPResponse(to: request, from: .udp, status: 401, tag: "t")
        #expect(transactions.respond(id, with: response, forget: true, now: milliseconds(0)).sentMethods == ["401"])
        #expect(transactions.serverCount == 0)
    }

    // INVITE as the caller

    @Test("timers A and B: INVITE is repeated at 0.5, 1.5, 3.5, 7.5, 15.5, 31.5 s and given up after 32 s")
    func repeatsInvite() throws {
        var transactions = make()
        let (id, _) = transactions.send(makeRequest(.invite), over: .udp, sentBy: "h", now: milliseconds(0))
        let later = run(&transactions, until: 60_000)
        #expect(later.map(\.0) == [500, 1500, 3500, 7500, 15_500, 31_500, 32_000])
        #expect(later.last?.1 == .timeout(try #require(id)))
    }

    @Test("a 1xx stops the repeats; each copy of the 2xx gets the ACK again")
    func acknowledgesEveryCopy() throws {
        var transactions = make()
        let request = makeRequest(.invite)
        let (id, actions) = transactions.send(request, over: .udp, sentBy: "h", now: milliseconds(0))
        #expect(
            transactions.receive(try answer(actions.sent.first, 100), from: .udp, now: milliseconds(100)).statuses == [
                100
            ]
        )
        #expect(run(&transactions, until: 20_000).isEmpty)
        let final = try answer(actions.sent.first, 200)
        #expect(transactions.receive(final, from: .udp, now: milliseconds(20_000)).statuses == [200])
        #expect(transactions.receive(final, from: .udp, now: milliseconds(20_001)).isEmpty, "no ACK to send yet")
        guard case .response(let response) = final, case .request(let sent) = actions.sent.first else { return }
        let dialog = try #require(SIPDialog(invite: sent, response: response))
        let ack = transactions.acknowledge(try #require(id), with: dialog.acknowledgement(sequence: 1), sentBy: "h")
        #expect(ack.sentMethods == ["ACK"])
        #expect(ack.sent.first?.headers.topVia?.branch != sent.headers.topVia?.branch)
        for copy in 1...3 {
            #expect(transactions.receive(final, from: .udp, now: milliseconds(20_000 + Int64(copy) * 500)) == ack)
        }
        #expect(run(&transactions, until: 60_000).isEmpty)
        #expect(transactions.clientCount == 0)
    }

    @Test("timer D: a refusal is acknowledged by the layer, and so are its repeats")
    func acknowledgesRefusals() throws {
        var transactions = make()
        let (_, actions) = transactions.send(makeRequest(.invite), over: .udp, sentBy: "h", now: milliseconds(0))
        let refusal = try answer(actions.sent.first, 488)
        let first = transactions.receive(refusal, from: .udp, now: milliseconds(100))
        #expect(first.sentMethods == ["ACK"])
        #expect(first.statuses == [488])
        #expect(first.sent.first?.headers.topVia?.branch == actions.sent.first?.headers.topVia?.branch)
        #expect(first.sent.first?.headers.to?.tag == "dev")
        let again = transactions.receive(refusal, from: .udp, now: milliseconds(600))
        #expect(again.sentMethods == ["ACK"] && again.statuses.isEmpty)
        #expect(run(&transactions, until: 40_000).isEmpty && transactions.clientCount == 0)
    }

    @Test("CANCEL waits for the first 1xx, has the branch of its INVITE, and ends with 487 and ACK")
    func cancels() throws {
        var transactions = make()
        let (id, actions) = transactions.send(
            makeRequest(.invite, sequence: 7),
            over: .udp,
            sentBy: "h",
            now: milliseconds(0)
        )
        #expect(transactions.cancel(try #require(id), now: milliseconds(100)).isEmpty)
        #expect(run(&transactions, until: 5000).isEmpty, "an unwanted INVITE is not repeated")
        let cancel = transactions.receive(try answer(actions.sent.first, 100), from: .udp, now: milliseconds(5000))
        #expect(cancel.sentMethods == ["CANCEL"])
        #expect(cancel.sent.first?.headers.topVia?.branch == actions.sent.first?.headers.topVia?.branch)
        #expect(cancel.sent.first?.headers.cseq == SIPSequence(7, .cancel))
        #expect(
            transactions.receive(try answer(cancel.sent.first, 200), from: .udp, now: milliseconds(5100)).statuses == [
                200
            ]
        )
        let end = transactions.receive(try answer(actions.sent.first, 487), from: .udp, now: milliseconds(5200))
        #expect(end.sentMethods == ["ACK"] && end.statuses == [487])
    }

    @Test("a 2xx that crosses the CANCEL is still delivered")
    func deliversCrossingSuccess() throws {
        var transactions = make()
        let (id, actions) = transactions.send(makeRequest(.invite), over: .udp, sentBy: "h", now: milliseconds(0))
        _ = transactions.receive(try answer(actions.sent.first, 100), from: .udp, now: milliseconds(10))
        #expect(transactions.cancel(try #require(id), now: milliseconds(20)).sentMethods == ["CANCEL"])
        #expect(
            transactions.receive(try answer(actions.sent.first, 200), from: .udp, now: milliseconds(30)).statuses == [
                200
            ]
        )
    }

    @Test("a closed connection fails what waits on it and only that")
    func failsWithItsConnection() throws {
        var transactions = make()
        let (first, _) = transactions.send(makeRequest(.invite), over: .tcp, sentBy: "h", now: milliseconds(0))
        var other = SIPFlow.tcp
        other.connection = 10
        _ = transactions.send(makeRequest(.message), over: other, sentBy: "h", now: milliseconds(0))
        #expect(transactions.flowClosed(.tcp) == [.flowFailed(try #require(first))])
        #expect(transactions.clientCount == 1)
        #expect(transactions.flowClosed(.udp).isEmpty)
    }

    // INVITE as the callee

    private func receiveInvite(
        _ transactions: inout SIPTransactions,
        over flow: SIPFlow
    ) throws -> (SIPRequest, SIPServerTransactionID) {
        let invite = makeRequest(.invite, branch: "z9hG4bKi")
        guard
            case .request(_, let id, _) = transactions.receive(.request(invite), from: flow, now: milliseconds(0)).first
        else {
            throw SIPParseError.badStartLine
        }
        return (invite, id)
    }

    @Test("timers G and H: a refusal is repeated at 0.5, 1.5, 3.5, 7.5, 11.5 … s until its ACK; timer I ends it")
    func repeatsRefusals() throws {
        var transactions = make()
        let (invite, id) = try receiveInvite(&transactions, over: .udp)
        _ = transactions.respond(
            id,
            with: SIPResponse(to: invite, from: .udp, status: 486, tag: "t"),
            now: milliseconds(0)
        )
        #expect(run(&transactions, until: 12_000).map(\.0) == [500, 1500, 3500, 7500, 11_500])
        let ack = makeRequest(.ack, branch: "z9hG4bKi")
        #expect(transactions.receive(.request(ack), from: .udp, now: milliseconds(12_000)).isEmpty)
        #expect(transactions.receive(.request(ack), from: .udp, now: milliseconds(12_500)).isEmpty)
        #expect(run(&transactions, until: 17_500).isEmpty)
        #expect(transactions.serverCount == 0)
    }

    @Test("without ACK a refusal ends after 32 s")
    func givesUpOnAcknowledgement() throws {
        var transactions = make()
        let (invite, id) = try receiveInvite(&transactions, over: .udp)
        _ = transactions.respond(
            id,
            with: SIPResponse(to: invite, from: .udp, status: 486, tag: "t"),
            now: milliseconds(0)
        )
        #expect(run(&transactions, until: 60_000).last?.0 == 31_500)
        #expect(transactions.serverCount == 0)
    }

    @Test("a 2xx is repeated until its ACK, over TCP too", arguments: [SIPFlow.udp, .tcp])
    func repeatsSuccess(_ flow: SIPFlow) throws {
        var transactions = make()
        let (invite, id) = try receiveInvite(&transactions, over: flow)
        #expect(
            transactions.respond(
                id,
                with: SIPResponse(to: invite, from: flow, status: 100, tag: nil),
                now: milliseconds(0)
            ).sentMethods == ["100"]
        )
        #expect(transactions.receive(.request(invite), from: flow, now: milliseconds(1)).sentMethods == ["100"])
        _ = transactions.respond(
            id,
            with: SIPResponse(to: invite, from: flow, status: 200, tag: "t"),
            now: milliseconds(0)
        )
        #expect(run(&transactions, until: 4000).map(\.0) == [500, 1500, 3500])
        let ack = makeRequest(.ack, branch: "z9hG4bKother")
        #expect(transactions.receive(.request(ack), from: flow, now: milliseconds(4000)) == [.acknowledged(id, ack)])
        #expect(transactions.receive(.request(ack), from: flow, now: milliseconds(4001)).isEmpty)
        #expect(run(&transactions, until: 60_000).isEmpty)
        #expect(transactions.serverCount == 0)
    }

    @Test("a 2xx that is never acknowledged is reported after 32 s")
    func reportsMissingAcknowledgement() throws {
        var transactions = make()
        let (invite, id) = try receiveInvite(&transactions, over: .udp)
        _ = transactions.respond(
            id,
            with: SIPResponse(to: invite, from: .udp, status: 200, tag: "t"),
            now: milliseconds(0)
        )
        let later = run(&transactions, until: 60_000)
        #expect(later.last?.0 == 32_000)
        #expect(later.last?.1 == .acknowledgementMissing(id))
    }

    @Test("a CANCEL is answered and reported; one without INVITE gets 481")
    func receivesCancel() throws {
        var transactions = make()
        let (_, id) = try receiveInvite(&transactions, over: .udp)
        let actions = transactions.receive(
            .request(makeRequest(.cancel, branch: "z9hG4bKi")),
            from: .udp,
            now: milliseconds(10)
        )
        #expect(actions.sentMethods == ["200"])
        #expect(actions.last == .cancelled(id))
        let stray = transactions.receive(
            .request(makeRequest(.cancel, branch: "z9hG4bKnone")),
            from: .udp,
            now: milliseconds(10)
        )
        #expect(stray.sentMethods == ["481"])
    }

    @Test("an INVITE that is never answered does not stay for ever")
    func forgetsUnansweredInvite() throws {
        var transactions = make()
        _ = try receiveInvite(&transactions, over: .udp)
        _ = run(&transactions, until: 181_000)
        #expect(transactions.serverCount == 0)
        #expect(transactions.deadline == nil)
    }
}
