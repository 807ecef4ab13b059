import Testing

@testable import Streaming

/// The expected responses were computed with Python's hashlib from the formulas that librtmp and FFmpeg use.
@Suite("RTMP authentication inside connect")
struct RTMPAuthenticationTests {
    private static let adobe = "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=needauth&user=cam&salt=FU4EZg=="
    private static let need = "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : "

    private static func client() -> RTMPClientAuthentication {
        RTMPClientAuthentication(user: "cam", password: "s3cret")
    }

    @Test("Adobe: first the user, then the answer to salt and opaque")
    func answersAdobe() throws {
        var client = Self.client()
        #expect(try client.answer(Self.need, app: "live", nonce: "0badcafe"))
        #expect(client.query == "?authmod=adobe&user=cam")
        let challenge = Self.adobe + "&challenge=QWERTY==&opaque=F7k5Zg=="
        #expect(try client.answer(challenge, app: "live", nonce: "0badcafe"))
        #expect(
            client.query
                == "?authmod=adobe&user=cam&challenge=0badcafe&response=pIinKiawXhKb3R8eY0oa5A==&opaque=F7k5Zg=="
        )
    }

    @Test("Adobe without an opaque: the challenge takes its place")
    func answersAdobeChallenge() throws {
        var client = Self.client()
        #expect(try client.answer(Self.adobe + "&challenge=QWERTY==", app: "live", nonce: "0badcafe"))
        #expect(client.query == "?authmod=adobe&user=cam&challenge=0badcafe&response=eQ1w8p2nHOfDPmlCzWVp3Q==")
    }

    @Test(
        "Limelight: a digest over the app, in its default instance unless it names one",
        arguments: [("live", "c4f051d521b8eab113f69cd7aefda03b"), ("live/inst", "547afacd6eab5dbea4e2e5bf8977ad15")]
    )
    func answersLimelight(app: String, response: String) throws {
        var client = Self.client()
        #expect(try client.answer("[ code=403 need auth; authmod=llnw ]", app: app, nonce: "0badcafe"))
        #expect(client.query == "?authmod=llnw&user=cam")
        let challenge = "[ authmod=llnw ] : ?reason=needauth&user=cam&nonce=N0nce"
        #expect(try client.answer(challenge, app: app, nonce: "0badcafe"))
        #expect(
            client.query == "?authmod=llnw&user=cam&nonce=N0nce&cnonce=0badcafe&nc=00000001&response=\(response)"
        )
    }

    @Test("a rejection for another reason is no question")
    func leavesOthers() throws {
        var client = Self.client()
        #expect(try !client.answer("No such application", app: "live", nonce: ""))
        #expect(client.query.isEmpty)
    }

    @Test("it gives up, saying why and never the password, when the server goes on asking")
    func givesUp() throws {
        func fault(_ client: RTMPClientAuthentication, _ descriptions: String...) -> RTMPClientFault? {
            var client = client
            do throws(RTMPClientFault) {
                for description in descriptions { _ = try client.answer(description, app: "live", nonce: "0") }
                return nil
            } catch {
                return error
            }
        }
        let failed = "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=authfailed&opaque=x"
        let faults = [
            fault(Self.client(), failed), fault(Self.client(), Self.need, Self.need),
            fault(Self.client(), Self.adobe, Self.adobe), fault(Self.client(), Self.need, "authmod=adobe ?"),
            fault(Self.client(), "[ authmod=adobe ] : ?reason=nosuchuser"),
            fault(RTMPClientAuthentication(user: "", password: ""), Self.need),
        ]
        for fault in faults {
            guard case .unauthorized(let text)? = fault else {
                Issue.record("\(String(describing: fault))")
                continue
            }
            #expect(!text.contains("s3cret"))
        }
    }
}
