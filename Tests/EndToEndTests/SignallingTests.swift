import CameraSimulator
import Gateway
import Media
import NIOCore
import SIP
import Testing

/// Requirements of the field that need camera, gateway and API together (spec, section 10): what is asked of a camera.
@Suite(.timeLimit(.minutes(1)))
struct SignallingTests {
    /// A site with one scripted camera that has registered.
    private func withCamera(
        _ change: (inout GatewayConfiguration) -> Void = { _ in },
        _ body: @escaping @Sendable (Site, ScriptedCamera) async throws -> Void
    ) async throws {
        try await Site.run(change) { site in
            let camera = try await ScriptedCamera.start(sip: site.sip)
            try await camera.register()
            try await wait(for: "the registration") {
                try await site.api.devices().contains { $0["status"] as? String == "online" }
            }
            try await body(site, camera)
            await camera.stop()
        }
    }

    private let id = ScriptedCamera.id
    private let channel = ScriptedCamera.channel

    @Test("The catalog's Chinese names, sent as GB2312, are UTF-8 in the API; a wrong password registers nobody")
    func showsNamesAndAsksForThePassword() async throws {
        try await Site.run(password: Site.password) { site in
            let cameras = try CameraConfiguration.load(folder: Project.cameras)
            try await site.withCameras(cameras) { _ in
                let text = try await site.api.get("/api/stat/gb28181_devices").text
                for camera in cameras {
                    #expect(text.contains(#""channel_name":"\#(camera.channels[0].name)""#))
                    #expect(
                        text.contains(#""device_id":"\#(camera.id)","device_name":"\#(camera.name)","status":"online""#)
                    )
                }
            }
            var stranger = CameraConfiguration.numbered(7, password: "wrong")
            stranger.name = "stranger"
            let running = try await CameraSimulation(
                cameras: [stranger],
                platform: PlatformConfiguration(id: Site.platformID, host: "127.0.0.1", port: site.sip)
            ).start()
            try await wait(for: "the refusal") { site.log.contains("wrong password", stranger.id) }
            #expect(await running.report().registered == 0)
            #expect(try await site.api.playable() == 0)
            await running.stop()
        }
    }

    @Test("R-4: a camera whose port changed with a keepalive is invited at its new port")
    func invitesAtTheNewPort() async throws {
        try await withCamera { site, camera in
            let old = camera.port
            try await camera.moveToNewPort()
            #expect(camera.port != old)
            try await camera.keepalive()
            let address = "127.0.0.1:\(camera.port)"
            try await wait(for: "the new address") {
                try await site.api.devices().contains { $0["remote_addr"] as? String == address }
            }
            let answer = try await site.api.invite(id, channel)
            #expect(answer.code == 0, "\(answer.text)")
            #expect(camera.ports(.invite) == [camera.port])
        }
    }

    @Test(
        "R-11: 50 callers of one channel cause one INVITE and share its session; the last BYE of theirs is the one sent"
    )
    func sharesOneSession() async throws {
        try await Site.run { site in
            let device = CameraConfiguration.numbered(1, clip: Project.gateClip)
            let channel = device.channels[0].id
            try await site.withCameras([device]) { cameras in
                let sessions = try await withThrowingTaskGroup(of: String.self) { tasks in
                    for _ in 0..<50 {
                        tasks.addTask {
                            let answer = try await site.api.invite(device.id, channel)
                            return answer.code == 0 ? answer.string("session_id") ?? "" : answer.text
                        }
                    }
                    return try await tasks.reduce(into: [String]()) { $0.append($1) }
                }
                #expect(sessions.count == 50)
                #expect(Set(sessions).count == 1, "\(Set(sessions))")
                #expect(sessions.first?.hasPrefix("PSPUB") == true)
                #expect(await cameras.report().invites == 1)
                for _ in 0..<49 { #expect(try await site.api.bye(device.id, channel).code == 0) }
                #expect(await cameras.report().sessions == 1)
                #expect(try await site.api.streams().count == 1)
                #expect(try await site.api.bye(device.id, channel).code == 0)
                try await wait(for: "the end at the camera") { await cameras.report().sessions == 0 }
                try await wait(for: "the end of the stream") { try await site.api.streams().isEmpty }
                let byes = try await site.api.messages(device.id).filter { $0.line.hasPrefix("BYE ") }
                #expect(byes.map(\.direction) == ["sent"])
                let more = try await site.api.bye(device.id, channel)
                #expect(more.code == 3003)
            }
        }
    }

    @Test("A bye while the port is still being opened leaves neither an INVITE nor a port behind")
    func takesBackBeforeTheInvite() async throws {
        try await Site.run { site in
            let device = CameraConfiguration.numbered(1, clip: Project.gateClip)
            let channel = device.channels[0].id
            try await site.withCameras([device]) { cameras in
                for _ in 0..<40 {
                    async let invited = site.api.invite(device.id, channel, tcp: 1)
                    for _ in 0..<100 where try await site.api.bye(device.id, channel).code == 0 { break }
                    _ = try await invited
                }
                try await wait(for: "the end of all sessions") { await cameras.report().sessions == 0 }
                try await wait(for: "the end of all streams") { try await site.api.streams().isEmpty }
            }
        }
    }

    @Test("R-12: BYE is repeated until the camera answers it")
    func repeatsBye() async throws {
        try await withCamera { site, camera in
            let invited = try await site.api.invite(id, channel)
            #expect(invited.code == 0, "\(invited.text)")
            camera.answerBye(false)
            #expect(try await site.api.bye(id, channel).code == 0)
            try await wait(for: "a second BYE") { camera.requests(.bye).count >= 2 }
            camera.answerBye(true)
            let unanswered = camera.requests(.bye).count
            try await wait(for: "the BYE that is answered") { camera.requests(.bye).count > unanswered }
            let byes = camera.requests(.bye)
            #expect(Set(byes.map(\.headers.callID)).count == 1)
            #expect(Set(byes.map { $0.headers[.cseq] }).count == 1)
            #expect(byes.first?.headers.callID == camera.requests(.invite).first?.headers.callID)
            try await wait(for: "the answer") {
                try await site.api.messages(id).contains { $0.direction == "received" && $0.text.contains(" BYE\r\n") }
            }
        }
    }

    @Test("R-42: what is typed wrong in a camera's menu is said in words")
    func explainsWrongIDs() async throws {
        try await Site.run { site in
            let mixedUp = try await ScriptedCamera.start(sip: site.sip, id: Site.platformID)
            try await mixedUp.register()
            try await wait(for: "the complaint") { site.log.contains("server ID and device ID are mixed up") }
            // From another host: of one host, one refusal in 10 s is logged.
            let short = try await ScriptedCamera.start(sip: site.sip, id: "3402000000132000001", host: "127.0.0.2")
            try await short.register()
            try await wait(for: "the complaint") { site.log.contains("has 19 digits, the standard wants 20 digits") }
            let elsewhere = try await ScriptedCamera.start(sip: site.sip)
            try await elsewhere.register(at: "34020000002000000009")
            try await wait(for: "the complaint") {
                site.log.contains("server ID 34020000002000000009", "this platform is \(Site.platformID)")
            }
            for camera in [mixedUp, short, elsewhere] { await camera.stop() }
        }
    }

    @Test("R-53: the API's error has the SIP status, phrase and warning, and the messages call shows how it came")
    func keepsTheCamerasReason() async throws {
        try await withCamera { site, camera in
            camera.behave(.rejects(486, "Busy Here", warning: #"399 cam "too many sessions""#))
            let answer = try await site.api.invite(id, channel)
            #expect(answer.status == 200)
            #expect(answer.code == 3002)
            #expect(answer.desp.hasPrefix("invite fail: invite \(channel) of device \(id)"), "\(answer.desp)")
            #expect(answer.desp.contains("486 Busy Here"))
            #expect(answer.desp.contains("too many sessions"))
            #expect(answer.desp.contains("offered UDP to 127.0.0.1:"))
            #expect(camera.requests(.invite).count >= 2, "a busy camera is asked once more")
            let messages = try await site.api.messages(id)
            #expect(messages.contains { $0.direction == "sent" && $0.line.hasPrefix("INVITE sip:\(channel)@") })
            #expect(messages.contains { $0.direction == "received" && $0.line == "SIP/2.0 486 Busy Here" })
            #expect(messages.count <= 20)

            camera.behave(.rejects(603, "Decline"))
            #expect(try await site.api.invite(id, channel).desp.contains("603 Decline"))
            #expect(try await site.api.streams().isEmpty)
            #expect(try await site.api.invite("34020000001320000098", channel).code == 3001)
        }
    }

    @Test("A camera that never answers INVITE: the API says so after the invite timeout, and nothing stays")
    func givesUpWithoutAnswer() async throws {
        try await withCamera {
            $0.gb28181.inviteTimeoutMs = 1000
        } _: { site, camera in
            camera.behave(.keepsSilent)
            let answer = try await site.api.invite(id, channel)
            #expect(answer.code == 3002)
            #expect(answer.desp.contains("no answer"), "\(answer.desp)")
            #expect(try await site.api.streams().isEmpty)
        }
    }
}
