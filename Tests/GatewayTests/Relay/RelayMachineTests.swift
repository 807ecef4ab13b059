import NIOCore
import Testing

@testable import Gateway

@Suite struct RelayMachineTests {
    let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    private func machine(
        _ policy: RelayMachine.Policy = RelayMachine.Policy(),
        needed: Bool = true,
        blocked: Bool = false
    ) -> RelayMachine {
        RelayMachine(policy: policy, isNeeded: needed, isBlocked: blocked, now: start)
    }

    @Test func thePauseDoublesUpToItsLimitAndBeginsAnewAfterSuccess() {
        var machine = machine()
        var now = start
        var pauses: [Int64] = []
        #expect(machine.advance(to: now) == [.connect])
        for _ in 0..<8 {
            #expect(machine.ended("refused", chance: 0.5, now: now) == [])
            #expect(machine.state == .waiting)
            let next = machine.nextAttempt ?? now
            pauses.append((next - now).nanoseconds / 1_000_000)
            #expect(machine.deadline == next)
            #expect(machine.advance(to: next - .nanoseconds(1)) == [])
            now = next
            #expect(machine.advance(to: now) == [.connect])
        }
        #expect(pauses == [1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000])
        #expect(machine.attempts == 9)
        machine.started(now: now)
        now = now + .seconds(29)
        _ = machine.ended("lost", chance: 0.5, now: now)
        #expect(machine.nextAttempt == now + .seconds(30))
        now = now + .seconds(30)
        #expect(machine.advance(to: now) == [.connect])
        machine.started(now: now)
        now = now + .seconds(30)
        _ = machine.ended("lost", chance: 0.5, now: now)
        #expect(machine.nextAttempt == now + .seconds(1))
        #expect(machine.lastError == "lost")
    }

    @Test(arguments: [(0.0, 800), (0.5, 1000), (1.0, 1200), (-3, 800), (7, 1200)])
    func chanceSpreadsThePauseByAFifth(_ chance: Double, _ milliseconds: Int64) {
        var machine = machine()
        _ = machine.advance(to: start)
        _ = machine.ended("x", chance: chance, now: start)
        #expect(machine.nextAttempt == start + .milliseconds(milliseconds))
    }

    @Test(arguments: [(0, 1), (2, 3), (5, 6)]) func retriesAreCounted(_ retries: Int, _ attempts: Int) {
        var policy = RelayMachine.Policy()
        policy.retries = retries
        var machine = machine(policy)
        var now = start
        var connects = machine.advance(to: now).count
        var end: [RelayMachine.Action] = []
        while end.isEmpty, connects < 20 {
            end = machine.ended("no", chance: 0, now: now)
            guard end.isEmpty else { break }
            now = machine.nextAttempt ?? now
            connects += machine.advance(to: now).count
        }
        #expect(connects == attempts)
        #expect(end == [.end("no")])
        #expect(machine.state == .ended)
        #expect(machine.advance(to: now + .hours(1)) == [])
    }

    @Test func aPublisherThatComesWhileItConnectsWins() {
        var machine = machine()
        _ = machine.advance(to: start)
        #expect(machine.update(isNeeded: true, isBlocked: true, now: start) == [.disconnect])
        #expect(machine.state == .stopping)
        #expect(machine.ended(nil, chance: 0, now: start) == [])
        #expect(machine.state == .waiting && machine.failures == 0)
        #expect(machine.advance(to: start + .hours(5)) == [])
        #expect(machine.update(isNeeded: true, isBlocked: false, now: start + .hours(5)) == [.connect])
    }

    @Test func aFailureBecauseOfAnotherPublisherIsNone() {
        var policy = RelayMachine.Policy()
        policy.retries = 0
        var machine = machine(policy)
        _ = machine.advance(to: start)
        // The connection told first, then the Hub.
        _ = machine.update(isNeeded: true, isBlocked: true, now: start)
        #expect(machine.ended("another publishes it", chance: 0, now: start) == [])
        #expect(machine.state == .waiting)
    }

    @Test func itEndsWhenNobodyNeedsItForLong() {
        var policy = RelayMachine.Policy()
        policy.linger = .seconds(5)
        policy.endsUnneeded = true
        var machine = machine(policy)
        _ = machine.advance(to: start)
        machine.started(now: start)
        #expect(machine.deadline == nil)
        #expect(machine.update(isNeeded: false, isBlocked: false, now: start) == [])
        #expect(machine.deadline == start + .seconds(5))
        #expect(machine.update(isNeeded: true, isBlocked: false, now: start + .seconds(4)) == [])
        #expect(machine.update(isNeeded: false, isBlocked: false, now: start + .seconds(6)) == [])
        #expect(machine.advance(to: start + .seconds(10)) == [])
        #expect(machine.advance(to: start + .seconds(11)) == [.disconnect])
        #expect(machine.ended(nil, chance: 0, now: start + .seconds(11)) == [.end("nobody needed it any more")])
    }

    @Test func withoutThatItIsIdleUntilItIsNeededAgain() {
        var policy = RelayMachine.Policy()
        policy.linger = .zero
        var machine = machine(policy)
        #expect(machine.advance(to: start) == [.connect])
        #expect(machine.update(isNeeded: false, isBlocked: false, now: start) == [.disconnect])
        // It is needed again before the connection has ended.
        #expect(machine.update(isNeeded: true, isBlocked: false, now: start) == [])
        #expect(machine.ended(nil, chance: 0, now: start) == [.connect])
        _ = machine.update(isNeeded: false, isBlocked: false, now: start)
        #expect(machine.ended(nil, chance: 0, now: start) == [])
        #expect(machine.state == .idle && machine.deadline == nil)
    }

    @Test func itStopsAtEveryStage() {
        var idle = machine()
        #expect(idle.stop("x") == [.end("x")])
        var connecting = machine()
        _ = connecting.advance(to: start)
        #expect(connecting.stop("x") == [.disconnect])
        #expect(connecting.stop("y") == [])
        // Even when the answer of the other server was on its way.
        connecting.started(now: start)
        #expect(connecting.ended("late", chance: 0, now: start) == [.end("y")])
        #expect(connecting.stop() == [])
        var waiting = machine()
        _ = waiting.advance(to: start)
        _ = waiting.ended("x", chance: 0, now: start)
        #expect(waiting.stop() == [.end(nil)])
        #expect(waiting.deadline == nil)
    }
}
