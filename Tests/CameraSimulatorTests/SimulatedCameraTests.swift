import CameraSimulator
import GB28181
import NIOCore
import SIP
import Testing
import Wire

private let device = "34020000001180000001"
private let gate = "34020000001310000001"
private let yard = "34020000001310000002"

private func nvr(_ transport: CameraConfiguration.Transport = .udp) -> CameraConfiguration {
    CameraConfiguration(
        id: device,
        name: "录像机",
        password: "12345678",
        channels: [.init(id: gate, name: "大门", clip: "gate"), .init(id: yard, name: "后院")],
        transport: transport,
        expires: 3600,
        keepaliveInterval: 60
    )
}

struct SimulatedCameraRegistrationTests {
    @Test func registersWithDigest() throws {
        var platform = ScriptedPlatform(nvr())
        let first = try platform.expectRequest()
        #expect(first.request.method == .register)
        #expect(first.request.headers[.authorization] == nil)
        #expect(first.request.headers.contact?.uri.text == "sip:\(device)@10.0.0.2:5062")
        let challenge = DigestChallenge(realm: "3402000000", nonce: "6fe9ba44a76be22a")
        platform.answer(first, 401, headers: [(.wwwAuthenticate, challenge.headerValue)])

        let second = try platform.expectRequest()
        #expect(second.request.headers.callID == first.request.headers.callID)
        #expect(second.request.headers.cseq?.number == 2)
        let authorization = try #require(
            second.request.headers[.authorization].flatMap(DigestAuthorization.init(parsing:))
        )
        #expect(authorization.isValid(method: "REGISTER", password: "12345678"))
        #expect(!authorization.isValid(method: "REGISTER", password: "1234567"))
        #expect(!platform.camera.isRegistered)
        platform.answer(second, 200)
        #expect(platform.camera.isRegistered)
        #expect(platform.actions.contains(.registered))
    }

    @Test func answersAChallengeWithQOP() throws {
        var platform = ScriptedPlatform(nvr())
        let challenge = DigestChallenge(realm: "r", nonce: "n", qop: "auth")
        platform.answer(try platform.expectRequest(), 401, headers: [(.wwwAuthenticate, challenge.headerValue)])
        let second = try platform.expectRequest()
        let authorization = try #require(
            second.request.headers[.authorization].flatMap(DigestAuthorization.init(parsing:))
        )
        #expect(authorization.qop == "auth")
        #expect(authorization.isValid(method: "REGISTER", password: "12345678"))
    }

    @Test func restsAfterAWrongPasswordAndTriesAgain() throws {
        var platform = ScriptedPlatform(nvr())
        let challenge = DigestChallenge(realm: "r", nonce: "n").headerValue
        for _ in 0..<2 {
            platform.answer(try platform.expectRequest(), 401, headers: [(.wwwAuthenticate, challenge)])
        }
        #expect(platform.requests.isEmpty)
        platform.advance(by: .milliseconds(9_999))
        #expect(platform.requests.isEmpty)
        platform.advance(by: .milliseconds(1))
        let again = try platform.expectRequest()
        #expect(again.request.headers[.authorization] == nil)
    }

    @Test func refreshesBeforeTheLifetimeThatThePlatformGave() throws {
        var platform = ScriptedPlatform(nvr())
        platform.answer(try platform.expectRequest(), 200, headers: [(.expires, "100")])
        platform.advance(by: .seconds(79))
        let early = platform.answerAll()
        #expect(early.allSatisfy { $0.method == .message })
        platform.advance(by: .seconds(1))
        let methods1 = platform.answerAll().map(\.method)
        #expect(methods1 == [.register])
        #expect(platform.camera.isRegistered)
    }

    @Test func registersAgainWhenThePlatformComesLate() {
        var platform = ScriptedPlatform(nvr())
        platform.requests = []
        platform.isCut = true
        platform.advance(by: .seconds(40))
        platform.isCut = false
        platform.advance(by: .seconds(10))
        _ = platform.answerAll()
        #expect(platform.camera.isRegistered)
        #expect(platform.actions.contains(.unanswered(.register)))
    }

    @Test func keepsAliveAtItsInterval() throws {
        var platform = ScriptedPlatform(nvr())
        platform.register()
        for number in 1...3 {
            platform.advance(by: .seconds(60))
            let requests = platform.answerAll()
            #expect(requests.count == 1)
            let body = try #require(requests.first).body
            let message = try ManscdpMessage.parse(body)
            #expect(message == .keepalive(Keepalive(sn: number, deviceID: device)))
        }
        #expect(platform.actions.filter { $0 == .answered(.keepalive, status: 200, after: .zero) }.count == 3)
    }

    @Test func registersAtOnceWhenAKeepaliveIsRefused() throws {
        var platform = ScriptedPlatform(nvr())
        platform.register()
        platform.advance(by: .seconds(60))
        platform.answer(try platform.expectRequest(), 403)
        #expect(!platform.camera.isRegistered)
        platform.advance(by: .zero)
        let methods2 = platform.answerAll().map(\.method)
        #expect(methods2 == [.register])
        #expect(platform.camera.isRegistered)
    }

    @Test func registersAgainAfterThreeLostKeepalives() {
        var platform = ScriptedPlatform(nvr())
        platform.register()
        platform.isCut = true
        platform.advance(by: .seconds(60 * 3 + 31))
        #expect(platform.camera.isRegistered)
        platform.advance(by: .seconds(2))
        #expect(!platform.camera.isRegistered)
        platform.isCut = false
        platform.advance(by: .seconds(4))
        let methods3 = platform.answerAll().map(\.method)
        #expect(methods3.contains(.register))
        #expect(platform.camera.isRegistered)
    }

    @Test func comesBackAfterItsTCPConnectionBroke() {
        var platform = ScriptedPlatform(nvr(.tcp))
        platform.register()
        platform.take(platform.camera.disconnected(now: platform.now))
        #expect(platform.actions == [.unregistered])
        #expect(platform.camera.deadline == nil)
        platform.now = platform.now + .seconds(10)
        let flow = SIPFlow(
            transport: .tcp,
            localHost: "10.0.0.2",
            localPort: 5063,
            remoteHost: "10.0.0.1",
            remotePort: 5060,
            connection: 2
        )
        platform.camera.connected(flow, now: platform.now)
        platform.take(platform.camera.advance(to: platform.now))
        let methods4 = platform.answerAll().map(\.method)
        #expect(methods4 == [.register])
        #expect(platform.camera.isRegistered)
    }

    @Test func takesItsRegistrationBackWhenItStops() throws {
        var platform = ScriptedPlatform(nvr())
        platform.register()
        platform.take(platform.camera.stop(now: platform.now))
        let last = try platform.expectRequest()
        #expect(last.request.headers.expires == 0)
        platform.answer(last, 200)
        #expect(platform.actions.last == .unregistered)
        platform.advance(by: .seconds(4000))
        #expect(platform.requests.isEmpty)
    }
}

struct SimulatedCameraQueryTests {
    @Test func sendsTheCatalogInPartsEachAfterTheAnswerToTheOneBefore() throws {
        var platform = ScriptedPlatform(nvr())
        platform.register()
        platform.send(.catalog(sn: 17, deviceID: device))
        #expect(platform.responses.map(\.status) == [200])
        var assembly = CatalogAssembly(sn: 17, deviceID: device, now: platform.now)
        var progress = CatalogAssembly.Progress.pending
        for _ in 0..<2 {
            #expect(platform.requests.count == 1)
            let incoming = try platform.expectRequest()
            guard case .catalogResponse(let part) = try ManscdpMessage.parse(incoming.request.body) else {
                return #expect(Bool(false))
            }
            #expect(part.sn == 17)
            #expect(progress == .pending)
            progress = assembly.receive(part, now: platform.now)
            platform.answer(incoming, 200)
        }
        #expect(platform.requests.isEmpty)
        guard case .complete(let catalog) = progress else { return #expect(Bool(false), "\(progress)") }
        #expect(catalog.items.map(\.name) == ["大门", "后院"])
        #expect(catalog.items.map(\.deviceID) == [gate, yard])
    }

    @Test func writesChineseNamesInGB2312() throws {
        var platform = ScriptedPlatform(nvr())
        platform.register()
        platform.send(.catalog(sn: 1, deviceID: device))
        let body = try platform.expectRequest().request.body
        let name: [UInt8] = [0xB4, 0xF3, 0xC3, 0xC5]
        #expect(body.indices.contains { body[$0...].starts(with: name) })
    }

    @Test func goesOnWithTheCatalogWhenAPartIsNotAnswered() {
        var platform = ScriptedPlatform(nvr())
        platform.register()
        platform.send(.catalog(sn: 1, deviceID: device))
        platform.requests = []
        platform.advance(by: .seconds(33))
        #expect(platform.requests.count == 1)
    }

    @Test func answersDeviceInfoAndStatus() throws {
        var platform = ScriptedPlatform(nvr())
        platform.register()
        platform.send(.deviceInfo(sn: 5, deviceID: device))
        let info = try ManscdpMessage.parse(try platform.expectAnswered().body)
        guard case .deviceInfoResponse(let info) = info else { return #expect(Bool(false)) }
        #expect(info.name == "录像机")
        #expect(info.channelCount == 2)
        platform.send(.deviceStatus(sn: 6, deviceID: device))
        let status = try ManscdpMessage.parse(try platform.expectAnswered().body)
        #expect(status.sn == 6)
    }

    @Test func saysThatAnUnknownGroupIsEmpty() throws {
        var platform = ScriptedPlatform(nvr())
        platform.register()
        platform.send(.catalog(sn: 1, deviceID: "34020000002160000001"))
        let message = try ManscdpMessage.parse(try platform.expectAnswered().body)
        guard case .catalogResponse(let part) = message else { return #expect(Bool(false)) }
        #expect(part.sumNum == 0)
    }
}

struct SimulatedCameraSessionTests {
    private func opened(_ platform: ScriptedPlatform) -> SimulatedCamera.MediaRequest? {
        for case .openMedia(let request) in platform.actions { return request }
        return nil
    }

    @Test(arguments: [
        (MediaTransport.udp, SimulatedCamera.MediaRequest.Path.udp(host: "10.0.0.1", port: 30000)),
        (.tcpPassive, .connect(host: "10.0.0.1", port: 30000)), (.tcpActive, .listen),
    ])
    func streamsFromTheACKToTheBYE(transport: MediaTransport, path: SimulatedCamera.MediaRequest.Path) throws {
        var platform = ScriptedPlatform(nvr())
        platform.register()
        let invite = platform.invite(gate, transport)
        let request = try #require(opened(platform))
        #expect(request.path == path)
        #expect(request.clip == "gate")
        #expect(request.ssrc == 200_000_001)
        #expect(platform.responses.map(\.status) == [100])

        platform.take(platform.camera.mediaOpened(request.id, port: 40000, now: platform.now))
        let answer = try MediaAnswer.parse(try #require(platform.responses.last).body)
        #expect(answer.host == "10.0.0.2")
        #expect(answer.port == 40000)
        #expect(answer.ssrc == SSRC(value: 200_000_001))
        #expect(answer.isTCP == (transport != .udp))
        #expect(answer.setup == (transport == .udp ? nil : transport == .tcpPassive ? .active : .passive))
        #expect(!platform.actions.contains(.startMedia(request.id)))

        var dialog = try platform.expectDialog(invite)
        #expect(platform.actions.contains(.startMedia(request.id)))
        platform.send(dialog.request(.bye))
        #expect(platform.actions.last == .closeMedia(request.id))
        #expect(platform.responses.last?.status == 200)
        #expect(platform.camera.sessionCount == 0)
        platform.send(dialog.request(.bye))
        #expect(platform.responses.last?.status == 481)
    }

    @Test func givesACancelledInviteUp() throws {
        var platform = ScriptedPlatform(nvr())
        platform.register()
        _ = platform.invite(gate, .udp)
        let request = try #require(opened(platform))
        platform.cancelInvite()
        #expect(platform.actions.last == .closeMedia(request.id))
        #expect(platform.responses.map(\.status).contains(487))
        #expect(platform.camera.sessionCount == 0)
        let late = platform.camera.mediaOpened(request.id, port: 1, now: platform.now)
        #expect(late == [.closeMedia(request.id)])
    }

    @Test func refusesWhatItHasNot() {
        for (channel, body, status) in [
            ("34020000001310000009", nil, 404), (yard, nil, 480), (gate, Array("v=0\r\n".utf8), 488),
        ] as [(String, [UInt8]?, Int)] {
            var platform = ScriptedPlatform(nvr())
            platform.register()
            _ = platform.invite(channel, .udp, body: body)
            #expect(platform.responses.last?.status == status)
        }
    }

    @Test func answers500WhenItsMediaCannotBeOpened() throws {
        var platform = ScriptedPlatform(nvr())
        platform.register()
        _ = platform.invite(gate, .udp)
        let request = try #require(opened(platform))
        platform.take(platform.camera.mediaFailed(request.id, now: platform.now))
        #expect(platform.responses.last?.status == 500)
    }

    @Test func hangsUpWhenItsMediaConnectionBreaks() throws {
        var platform = ScriptedPlatform(nvr())
        platform.register()
        let invite = platform.invite(gate, .tcpPassive)
        let request = try #require(opened(platform))
        platform.take(platform.camera.mediaOpened(request.id, port: 9, now: platform.now))
        let dialog = try platform.expectDialog(invite)
        platform.take(platform.camera.mediaFailed(request.id, now: platform.now))
        let bye = try platform.expectRequest()
        #expect(bye.request.method == .bye)
        #expect(dialog.match(bye.request) == .tags)
    }

    @Test func hangsUpWhenNoACKComes() throws {
        var platform = ScriptedPlatform(nvr())
        platform.register()
        _ = platform.invite(gate, .udp)
        let request = try #require(opened(platform))
        platform.take(platform.camera.mediaOpened(request.id, port: 40000, now: platform.now))
        platform.advance(by: .seconds(33))
        #expect(platform.actions.contains(.closeMedia(request.id)))
        let methods5 = platform.answerAll().map(\.method)
        #expect(methods5.contains(.bye))
    }

    @Test func refusesMoreSessionsThanItHasRoomFor() {
        var platform = ScriptedPlatform(nvr())
        platform.register()
        for _ in 0..<33 {
            var platform2 = platform
            _ = platform2.invite(gate, .udp)
            platform = platform2
            platform.now = platform.now + .seconds(1)
            platform.transactions = SIPTransactions(tokens: SIPTokens(SplitMix(state: platform.now.uptimeNanoseconds)))
        }
        #expect(platform.camera.sessionCount == 32)
        #expect(platform.responses.last?.status == 486)
    }
}
