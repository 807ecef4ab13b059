import NIOCore
import SIP
import Testing

/// A network between two transaction layers that loses, doubles and delays datagrams, in injected time.
private struct LossyNetwork {
    var caller: SIPTransactions
    var callee: SIPTransactions
    var generator: SeededGenerator
    var loss: Double
    var inFlight: [(at: NIODeadline, toCallee: Bool, bytes: [UInt8])] = []

    init(seed: UInt64, loss: Double) {
        generator = SeededGenerator(state: seed)
        caller = SIPTransactions(tokens: SIPTokens(SeededGenerator(state: seed &+ 1)))
        callee = SIPTransactions(tokens: SIPTokens(SeededGenerator(state: seed &+ 2)))
        self.loss = loss
    }

    mutating func carry(_ actions: [SIPTransactionAction], toCallee: Bool, now: NIODeadline) {
        for case .send(let bytes, _) in actions {
            for _ in 0..<(Double.random(in: 0..<1, using: &generator) < 0.1 ? 2 : 1)
            where Double.random(in: 0..<1, using: &generator) >= loss {
                inFlight.append((now + .milliseconds(Int64.random(in: 5...300, using: &generator)), toCallee, bytes))
            }
        }
    }

    var next: NIODeadline? {
        (inFlight.map(\.at) + [caller.deadline, callee.deadline].compactMap { $0 }).min()
    }
}

@Suite("Two peers over a bad network")
struct LossyNetworkTests {
    @Test("every MESSAGE is processed once and answered although a third of the datagrams is lost", arguments: 1...20)
    func deliversOnce(_ seed: UInt64) {
        var network = LossyNetwork(seed: seed, loss: 0.33)
        var seen: [String: Int] = [:]
        var answered = 0
        var timeouts = 0
        for number in 0..<20 {
            let sent = network.caller.send(
                makeRequest(.message, callID: "m\(number)"),
                over: .udp,
                sentBy: "h",
                now: milliseconds(0)
            )
            network.carry(sent.actions, toCallee: true, now: milliseconds(0))
        }
        pump(&network) { request, id, network, now in
            seen[request.headers.callID, default: 0] += 1
            return network.callee.respond(
                id,
                with: SIPResponse(to: request, from: .udp, status: 200, tag: "t"),
                now: now
            )
        } caller: { action, _, _ in
            switch action {
            case .response: answered += 1
            case .timeout: timeouts += 1
            default: break
            }
            return []
        }
        #expect(seen.values.allSatisfy { $0 == 1 })
        #expect(answered + timeouts == 20)
        #expect(answered >= 19)
        #expect(network.caller.clientCount == 0 && network.callee.serverCount == 0)
    }

    @Test("every INVITE is set up and acknowledged", arguments: 1...20)
    func setsUpCalls(_ seed: UInt64) {
        var network = LossyNetwork(seed: seed, loss: 0.25)
        var acknowledged = 0
        var offered = 0
        var invites: [SIPClientTransactionID: SIPRequest] = [:]
        for number in 0..<10 {
            let request = makeRequest(.invite, callID: "i\(number)")
            let sent = network.caller.send(request, over: .udp, sentBy: "h", now: milliseconds(0))
            if let id = sent.id { invites[id] = request }
            network.carry(sent.actions, toCallee: true, now: milliseconds(0))
        }
        pump(&network) { request, id, network, now in
            offered += 1
            return network.callee.respond(
                id,
                with: SIPResponse(to: request, from: .udp, status: 100, tag: nil),
                now: now
            )
                + network.callee.respond(
                    id,
                    with: SIPResponse(to: request, from: .udp, status: 200, tag: "t"),
                    now: now
                )
        } caller: { action, network, _ in
            guard case .response(let response, let id) = action, response.isSuccess, let invite = invites[id],
                let dialog = SIPDialog(invite: invite, response: response)
            else { return [] }
            return network.caller.acknowledge(id, with: dialog.acknowledgement(sequence: 1), sentBy: "h")
        } acknowledged: {
            acknowledged += 1
        }
        #expect(offered == 10)
        #expect(acknowledged == 10)
        #expect(network.caller.clientCount == 0 && network.callee.serverCount == 0)
    }

    private func pump(
        _ network: inout LossyNetwork,
        callee: (SIPRequest, SIPServerTransactionID, inout LossyNetwork, NIODeadline) -> [SIPTransactionAction],
        caller: (SIPTransactionAction, inout LossyNetwork, NIODeadline) -> [SIPTransactionAction],
        acknowledged: () -> Void = {}
    ) {
        var steps = 0
        while let now = network.next, steps < 100_000 {
            steps += 1
            let arrived = network.inFlight.filter { $0.at <= now }
            network.inFlight.removeAll { $0.at <= now }
            var calleeActions = network.callee.advance(to: now)
            var callerActions = network.caller.advance(to: now)
            for packet in arrived {
                guard let message = try? SIPMessage.parse(packet.bytes) else { continue }
                if packet.toCallee {
                    calleeActions += network.callee.receive(message, from: .udp, now: now)
                } else {
                    callerActions += network.caller.receive(message, from: .udp, now: now)
                }
            }
            for action in calleeActions {
                switch action {
                case .request(let request, let id, _):
                    network.carry(callee(request, id, &network, now), toCallee: false, now: now)
                case .acknowledged: acknowledged()
                default: network.carry([action], toCallee: false, now: now)
                }
            }
            for action in callerActions {
                network.carry([action], toCallee: true, now: now)
                network.carry(caller(action, &network, now), toCallee: true, now: now)
            }
        }
    }
}
