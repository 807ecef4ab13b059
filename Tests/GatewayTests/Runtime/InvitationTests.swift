import Testing

@testable import Gateway

/// Invitations from the API to the camera and back.
@Suite(.serialized, .timeLimit(.minutes(1))) struct InvitationTests {
    @Test("R-11: one session for all who ask at once; the last bye ends it")
    func manyWhoAskShareOneSession() async throws {
        try await SimulatedSite.open { site in
            let answers = try await withThrowingTaskGroup(of: GB28181InviteStarted.self) { tasks in
                for _ in 0..<20 { tasks.addTask { try await site.gateway.gb28181Invite(site.request()) } }
                return try await tasks.reduce(into: Set<GB28181InviteStarted>()) { $0.insert($1) }
            }
            #expect(answers.count == 1)
            for _ in 0..<19 { _ = try await site.gateway.gb28181Bye(site.bye()) }
            #expect(await site.gateway.media.counts().sessions == 1)
            _ = try await site.gateway.gb28181Bye(site.bye())
            try await site.becomesIdle()
        }
    }

    @Test func aByeAtAnyMomentOfAnInviteLeavesNothing() async throws {
        try await SimulatedSite.open { site in
            for round in 0..<60 {
                async let invited = site.gateway.gb28181Invite(site.request())
                // From at once to when the camera has answered.
                for _ in 0..<(round % 30) { await Task.yield() }
                try await eventually("the session is there to be ended") {
                    (try? await site.gateway.gb28181Bye(site.bye())) != nil
                }
                _ = try? await invited
            }
            try await site.becomesIdle()
            let started = try await site.gateway.gb28181Invite(site.request())
            #expect(started.port > 0)
        }
    }

    @Test func aChannelIsInvitedAgainRightAfterItsBye() async throws {
        try await SimulatedSite.open { site in
            for _ in 0..<20 {
                _ = try await site.gateway.gb28181Invite(site.request())
                _ = try await site.gateway.gb28181Bye(site.bye())
            }
            try await site.becomesIdle()
        }
    }

    @Test func aKickEndsTheSessionWithTheCamera() async throws {
        try await SimulatedSite.open { site in
            for _ in 0..<10 {
                let started = try await site.gateway.gb28181Invite(site.request())
                try await site.gateway.kick(streamName: started.streamName, sessionID: started.sessionID)
                try await site.becomesIdle()
            }
        }
    }

    @Test("A session that nobody watches ends by itself, unless one of its invitations is for ever")
    func anUnwatchedSessionEnds() async throws {
        try await SimulatedSite.open(cameras: 2) { site in
            var (kept, left) = (site.request(0), site.request(1))
            kept.autoByeAfterNoOutMs = 1000
            left.autoByeAfterNoOutMs = 1500
            _ = try await site.gateway.gb28181Invite(kept)
            _ = try await site.gateway.gb28181Invite(site.request(0))
            _ = try await site.gateway.gb28181Invite(left)
            try await eventually("the end of the one that nobody wants") {
                await site.gateway.media.counts().sessions == 1
            }
            let devices = await site.gateway.gb28181Devices().sorted { $0.deviceID < $1.deviceID }
            #expect(devices.map { $0.channels[0].status } == ["streaming", "idle"])
            for _ in 0..<2 { _ = try await site.gateway.gb28181Bye(site.bye(0)) }
            try await site.becomesIdle()
        }
    }

    @Test func aStreamNameThatIsTakenIsRefusedAndLeavesNothing() async throws {
        try await SimulatedSite.open(cameras: 2) { site in
            let first = try await site.gateway.gb28181Invite(site.request(0))
            var second = site.request(1)
            second.streamName = first.streamName
            let failure = await #expect(throws: ControlError.self) { try await site.gateway.gb28181Invite(second) }
            #expect(failure?.desp.contains(first.streamName) == true)
            #expect(await site.gateway.media.counts().sessions == 1)
            _ = try await site.gateway.gb28181Bye(site.bye(0))
            try await site.becomesIdle()
        }
    }

    @Test func aProvisionedDeviceSaysHowItsMediaComes() async throws {
        var device = ProvisionedDevice()
        device.id = "34020000001320000001"
        device.transport = "tcp_passive"
        try await SimulatedSite.open(devices: [device]) { site in
            let started = try await site.gateway.gb28181Invite(site.request())
            #expect(try await site.gateway.group(started.streamName).pub.rtp?.transport == "tcp_passive")
        }
    }

    @Test("R-12: the end of the process says BYE, and does so in a cancelled task")
    func theEndSaysByeInACancelledTask() async throws {
        try await SimulatedSite.open { site in
            _ = try await site.gateway.gb28181Invite(site.request())
            let begin = ContinuousClock.now
            let stopping = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                await site.gateway.stop()
            }
            await stopping.value
            #expect(ContinuousClock.now - begin < .seconds(2))
            await #expect(throws: ControlError.self) { try await site.gateway.gb28181Invite(site.request()) }
        }
    }
}
