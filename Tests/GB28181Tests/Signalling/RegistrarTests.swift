import NIOCore
import SIP
import Testing
import Wire

@testable import GB28181

@Suite("Signalling: registration (2.4)")
struct RegistrarTests {
    @Test("R-43 a camera with the password is challenged, accepted and told Contact, Expires, Date and version")
    func acceptsRegistration() throws {
        var world = World()
        world.camera { $0.register(now: $1) }
        world.run(50)
        let answers = world.cameras[0].registerAnswers
        #expect(answers.map(\.status) == [401, 200])
        let challenge = try #require(answers[0].headers[.wwwAuthenticate].flatMap(DigestChallenge.init(parsing:)))
        #expect(challenge.realm == "3402000000" && challenge.qop == nil && !challenge.stale)
        let headers = answers[1].headers
        #expect(headers[.contact] == "<sip:\(cameraID)@192.168.1.64:5060>;expires=3600")
        #expect(headers[.expires] == "3600")
        #expect(headers[.date]?.hasPrefix("2024-05-17T14:07:33.") == true)
        #expect(headers[.xGBVer] == "3.0")
        #expect(answers.allSatisfy { $0.headers.to?.tag != nil })
        #expect(world.events.contains(.deviceOnline(deviceID: cameraID, .registered)))
        #expect(world.events.contains(.persistDevice(deviceID: cameraID)))
        #expect(world.core.onlineDeviceCount == 1)
        #expect(world.core.device(cameraID)?.registeredAt == 1_715_926_053_266)
    }

    @Test("without any password a camera is accepted at once; its own password counts before the global one")
    func choosesPasswords() {
        var open = World { $0.password = "" }
        open.camera { $0.register(now: $1) }
        open.run(50)
        #expect(open.cameras[0].registerAnswers.map(\.status) == [200])
        var own = World { $0.provisioned[cameraID] = ProvisionedDevice(password: "own") }
        own.camera { $0.register(now: $1) }
        own.run(50)
        #expect(
            own.cameras[0].registerAnswers.map(\.status) == [401, 401],
            "the second is the refusal of the global password"
        )
        own.cameras[0].password = "own"
        own.camera { $0.register(now: $1) }
        own.run(50)
        #expect(own.cameras[0].isRegistered)
    }

    @Test("qop=auth works where it is configured")
    func challengesWithQuality() {
        var world = World { $0.digestQOP = true }
        world.camera { $0.register(now: $1) }
        world.run(50)
        #expect(world.cameras[0].isRegistered)
        #expect(world.cameras[0].registerAnswers[0].headers[.wwwAuthenticate]?.contains("qop=\"auth\"") == true)
    }

    @Test("a wrong password is asked again, after five failures refused for 60 s, then longer")
    func bansGuessers() {
        var world = World()
        world.cameras[0].password = "wrong"
        func tryOnce(_ world: inout World) -> Int? {
            world.camera { $0.register(now: $1) }
            world.run(50)
            return world.cameras[0].registerAnswers.last?.status
        }
        var statuses = (0..<5).map { _ in tryOnce(&world) }
        #expect(statuses == [401, 401, 401, 401, 403])
        world.cameras[0].password = "12345678"
        statuses = [tryOnce(&world)]
        #expect(statuses == [403], "banned: not even the right password is looked at")
        #expect(!world.cameras[0].isRegistered)
        world.run(61_000)
        statuses = [tryOnce(&world)]
        #expect(statuses == [200])
        #expect(world.logs.contains { $0.contains("wrong password (1 of 5)") })
        #expect(!world.logs.contains { $0.contains("12345678") })
        #expect(world.core.statistics.wrongPasswords == 5)
    }

    @Test("another camera behind the same address is not banned with it")
    func bansOnlyTheGuesser() {
        let other = CameraModel("34020000001320000002", flow: flow(6000), seed: 9)
        var world = World([CameraModel(), other])
        world.cameras[0].password = "wrong"
        for _ in 0..<6 {
            world.camera { $0.register(now: $1) }
            world.run(50)
        }
        world.camera(1) { $0.register(now: $1) }
        world.run(50)
        #expect(world.cameras[1].isRegistered)
    }

    @Test("an address that guesses many IDs is banned as a whole; the table stays bounded")
    func bansAddresses() {
        var guardian = RegistrationGuard()
        var verdicts = (0..<50).map { guardian.fail(host: "h", deviceID: "\($0)", now: start) }
        let last = verdicts.removeLast()
        #expect(last == .banned(.seconds(60)))
        #expect(verdicts.allSatisfy { $0 == .failed(1) })
        #expect(guardian.isBanned(host: "h", deviceID: "never seen", now: start))
        #expect(!guardian.isBanned(host: "h", deviceID: "never seen", now: start + .seconds(61)))
        for number in 0..<20_000 { _ = guardian.fail(host: "\(number)", deviceID: "d", now: start) }
        #expect(guardian.count <= RegistrationGuard.capacity)
        var times: [TimeAmount] = []
        var clock = start + .hours(1)
        for _ in 0..<40 {
            if case .banned(let time) = guardian.fail(host: "z", deviceID: "z", now: clock) { times.append(time) }
            clock = clock + .seconds(1)
        }
        #expect(times == [60, 120, 240, 480, 600, 600, 600, 600].map { .seconds($0) })
    }

    @Test("a nonce that is too old or not ours is answered with stale=true")
    func renewsStaleNonces() throws {
        var world = World()
        world.camera { $0.register(now: $1) }
        world.run(50)
        let authorization = try #require(world.lastAuthorization)
        world.run(301_000)
        var request = try #require(world.lastRegister)
        request.headers[.cseq] = "9 REGISTER"
        request.headers[.via] = "SIP/2.0/UDP 1.2.3.4;branch=z9hG4bKfresh"
        request.headers[.authorization] = authorization
        let actions = world.core.receive(.request(request), from: flow(), now: world.now)
        guard case .send(let bytes, _) = actions.first, case .response(let response) = try SIPMessage.parse(bytes)
        else {
            Issue.record("no answer")
            return
        }
        #expect(response.status == 401)
        #expect(response.headers[.wwwAuthenticate]?.contains("stale=true") == true)
    }

    @Test("a refresh needs its Authorization although Call-ID is the same")
    func asksRefreshes() {
        var world = World()
        world.settle()
        world.camera { $0.register(now: $1) }
        world.run(50)
        #expect(world.cameras[0].registerAnswers.map(\.status) == [401, 200, 401, 200])
        #expect(world.requests(.message).isEmpty, "a refresh asks for nothing")
    }

    @Test(
        "lifetimes: asked, missing, from the Contact, too short, too long",
        arguments: [("3600", 3600), ("30", 60), ("99999999", 604_800), ("x", 3600)]
    )
    func grantsLifetimes(_ asked: String, _ granted: Int) throws {
        var world = World { $0.password = "" }
        var request = SIPRequest(method: .register, uri: "sip:\(platformID)@3402000000")
        request.headers.append(.via, "SIP/2.0/UDP 1.2.3.4;branch=z9hG4bKa")
        request.headers.append(.from, "<sip:\(cameraID)@x>;tag=1")
        request.headers.append(.to, "<sip:\(cameraID)@x>")
        request.headers.append(.callID, "a")
        request.headers.append(.cseq, "1 REGISTER")
        request.headers.append(.expires, asked)
        world.apply(world.core.receive(.request(request), from: flow(), now: start))
        guard case .response(let response) = world.sent.first?.message else { return }
        #expect(response.headers[.expires] == String(granted))
    }

    @Test("Expires 0 takes the camera offline; its keepalives are refused until it registers again")
    func unregisters() {
        var world = World()
        world.settle()
        world.camera { $0.register(expires: 0, now: $1) }
        world.run(50)
        #expect(world.cameras[0].registerAnswers.last?.headers[.expires] == "0")
        #expect(world.events.contains(.deviceOffline(deviceID: cameraID, .unregistered)))
        world.camera { $0.keepalive(now: $1) }
        world.run(50)
        #expect(world.cameras[0].messageAnswers.last == 403)
        world.camera { $0.register(now: $1) }
        world.run(50)
        #expect(world.core.onlineDeviceCount == 1)
    }

    @Test("R-42 swapped IDs, wrong lengths and a foreign server ID are named")
    func namesMistakes() {
        var swapped = World([CameraModel(platformID)])
        swapped.camera { $0.register(now: $1) }
        swapped.run(50)
        #expect(swapped.cameras[0].registerAnswers.map(\.status) == [403])
        #expect(swapped.logs.contains { $0.contains("platform's own ID") })
        var short = World([CameraModel("3402000000132000001")])
        short.camera { $0.register(now: $1) }
        short.run(50)
        #expect(short.cameras[0].isRegistered)
        #expect(short.logs.contains { $0.contains("19 digits") })
        var strict = World([CameraModel("3402000000132000001")]) { $0.strictDeviceID = true }
        strict.camera { $0.register(now: $1) }
        strict.run(50)
        #expect(strict.cameras[0].registerAnswers.map(\.status) == [403])
        var closed = World { $0.onlyProvisioned = true }
        closed.camera { $0.register(now: $1) }
        closed.run(50)
        #expect(closed.cameras[0].registerAnswers.map(\.status) == [403])
        #expect(closed.logs.contains { $0.contains("not configured") })
    }

    @Test("R-52 a camera that registers all the time gets its 200 from memory, and nothing else happens")
    func calmsHastyCameras() {
        var world = World { $0.password = "" }
        for _ in 0..<200 {
            world.camera { $0.register(restart: true, now: $1) }
            world.run(100)
        }
        #expect(world.cameras[0].registerAnswers.count == 200)
        #expect(world.cameras[0].registerAnswers.allSatisfy { $0.status == 200 })
        #expect(world.core.statistics.registrations == 10)
        #expect(world.core.statistics.repeatedRegistrations == 190)
        let catalogs = world.requests(.message).filter {
            String(decoding: $0.request.body, as: UTF8.self).contains("Catalog")
        }
        #expect(catalogs.count == 1)
    }

    @Test("a full device table refuses new ones and keeps the old")
    func staysBounded() {
        var world = World([CameraModel(), CameraModel("34020000001320000002", flow: flow(6000), seed: 3)]) {
            $0.maximumDevices = 1
        }
        world.settle()
        #expect(world.cameras[0].isRegistered)
        #expect(world.cameras[1].registerAnswers.map(\.status) == [401, 503])
        world.apply(world.core.remove(cameraID, now: world.now))
        #expect(world.events.contains(.deviceOffline(deviceID: cameraID, .removed)))
        world.camera(1) { $0.register(now: $1) }
        world.run(50)
        #expect(world.core.devices.map(\.id) == ["34020000001320000002"])
    }

    @Test(
        "Beijing time",
        arguments: [
            (0, "1970-01-01T08:00:00.000"), (1_709_222_399_999, "2024-02-29T23:59:59.999"),
            (-1, "1970-01-01T07:59:59.999"),
        ] as [(Int64, String)]
    )
    func writesBeijingTime(_ time: Int64, _ text: String) {
        #expect(WallClock.beijing(time) == text)
    }
}

extension World {
    var lastRegister: SIPRequest? {
        guard let id = cameras.first?.id else { return nil }
        var request = SIPRequest(method: .register, uri: "sip:\(platformID)@3402000000")
        request.headers.append(.via, "SIP/2.0/UDP 1.2.3.4;branch=z9hG4bKa")
        request.headers.append(.from, "<sip:\(id)@3402000000>;tag=1")
        request.headers.append(.to, "<sip:\(id)@3402000000>")
        request.headers.append(.callID, "a")
        request.headers.append(.cseq, "1 REGISTER")
        return request
    }

    /// A right answer to the first challenge.
    var lastAuthorization: String? {
        guard
            let challenge = cameras.first?.registerAnswers.first?.headers[.wwwAuthenticate].flatMap(
                DigestChallenge.init(parsing:)
            )
        else { return nil }
        return DigestCredentials(username: cameraID, password: "12345678")
            .answer(challenge: challenge, method: "REGISTER", uri: "sip:\(platformID)@3402000000").headerValue
    }
}
