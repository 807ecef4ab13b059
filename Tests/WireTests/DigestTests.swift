import NIOCore
import Testing

@testable import Wire

@Suite("Digest authentication (GB/T 28181 2.4, RFC 2617)")
struct DigestTests {
    struct Vector: Sendable {
        var username: String
        var realm: String
        var password: String
        var nonce: String
        var uri: String
        var response: String
    }

    /// From captures of real devices.
    static let vectors = [
        Vector(
            username: "34020000001320000088",
            realm: "3402000000",
            password: "12345678",
            nonce: "9485904448344456af5449b51759016e",
            uri: "sip:34020000002000000001@3402000000",
            response: "b1cfb3f036fbcf7d13b8ee3bbff89906"
        ),
        Vector(
            username: "admin",
            realm: "hik",
            password: "12345",
            nonce: "42dc1acbe02b15743942c0af9314768b",
            uri: "sip:130909115229300920@10.64.49.44:7100",
            response: "7328353ed26e3f2edf3ff57e834d5665"
        ),
        Vector(
            username: "34010000001310000001",
            realm: "3401000000",
            password: "12345678",
            nonce: "0540eb8f630c60f0",
            uri: "sip:34010000002000000001@192.168.230.53:5060",
            response: "65bda226c49c75abdd1d0ce83608436b"
        ),
    ]

    @Test("answers of captured devices are accepted, any other password is not", arguments: vectors)
    func acceptsCapturedAnswers(_ vector: Vector) throws {
        let header =
            "Digest username=\"\(vector.username)\", realm=\"\(vector.realm)\", nonce=\"\(vector.nonce)\","
            + " uri=\"\(vector.uri)\", response=\"\(vector.response)\", algorithm=MD5"
        let authorization = try #require(DigestAuthorization(parsing: header))
        #expect(authorization.isValid(method: "REGISTER", password: vector.password))
        #expect(!authorization.isValid(method: "REGISTER", password: vector.password + "x"))
        #expect(!authorization.isValid(method: "INVITE", password: vector.password))
    }

    @Test("the client computes the same answers", arguments: vectors)
    func computesCapturedAnswers(_ vector: Vector) {
        let credentials = DigestCredentials(username: vector.username, password: vector.password)
        let challenge = DigestChallenge(realm: vector.realm, nonce: vector.nonce)
        let answer = credentials.answer(challenge: challenge, method: "REGISTER", uri: vector.uri)
        #expect(answer.response == vector.response)
        #expect(DigestAuthorization(parsing: answer.headerValue) == answer)
    }

    @Test("RFC 2617 3.5: the example with qop=auth")
    func answersWithQualityOfProtection() throws {
        let credentials = DigestCredentials(username: "Mufasa", password: "Circle Of Life")
        let challenge = try #require(
            DigestChallenge(
                parsing: "Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", "
                    + "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\""
            )
        )
        let answer = credentials.answer(challenge: challenge, method: "GET", uri: "/dir/index.html", cnonce: "0a4f113b")
        #expect(answer.response == "6629fae49393a05397450978507c4ef1")
        #expect(answer.nonceCount == "00000001")
        #expect(answer.opaque == "5ccc069c403ebaf9f0171e9517f40e41")
        #expect(answer.isValid(method: "GET", password: "Circle Of Life"))
    }

    @Test("RFC 7616 3.9.1: the example with SHA-256, which is read only by who asks for it")
    func answersWithSHA256() throws {
        let header =
            "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=SHA-256, "
            + "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", "
            + "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
        #expect(DigestChallenge(parsing: header) == nil)
        let challenge = try #require(DigestChallenge(parsing: header, algorithms: [.sha256]))
        let answer = DigestCredentials(username: "Mufasa", password: "Circle of Life").answer(
            challenge: challenge,
            method: "GET",
            uri: "/dir/index.html",
            cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
        )
        #expect(answer.response == "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1")
        #expect(DigestAuthorization(parsing: answer.headerValue) == nil)
        #expect(DigestAuthorization(parsing: answer.headerValue, algorithms: [.md5, .sha256]) == answer)
        #expect(challenge.headerValue.contains("algorithm=SHA-256"))
    }

    @Test("nc counts as text, the response without case, the algorithm in any spelling")
    func toleratesSpellings() throws {
        let header =
            "digest username=Mufasa, realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", "
            + "uri=\"/dir/index.html\", qop=auth, nc=00000001, cnonce=\"0a4f113b\", "
            + "response=\"6629FAE49393A05397450978507C4EF1\", algorithm=\"md5\""
        let upper = try #require(DigestAuthorization(parsing: header))
        #expect(upper.isValid(method: "GET", password: "Circle Of Life"))
        var otherText = upper
        otherText.nonceCount = "1"
        #expect(!otherText.isValid(method: "GET", password: "Circle Of Life"))
    }

    @Test(
        "what is no digest answer is refused",
        arguments: [
            "", "Digest", "Basic YWRtaW46", "Digest username=\"a\"", "Digest response=\"1\"",
            "Digest nonce=\"1\", response=\"2\", algorithm=SHA-256", "Digest nonce=\"",
        ]
    )
    func refusesOthers(_ header: String) {
        #expect(DigestAuthorization(parsing: header) == nil)
    }

    @Test("quotes and commas inside values survive")
    func keepsQuotedText() throws {
        let challenge = DigestChallenge(realm: "a \"b\", c\\d", nonce: "n", opaque: "x,y", qop: "auth", stale: true)
        #expect(DigestChallenge(parsing: challenge.headerValue) == challenge)
    }

    @Test("credentials never print their password")
    func hidesPassword() {
        #expect(!"\(DigestCredentials(username: "u", password: "secret"))".contains("secret"))
    }

    @Test("a nonce is valid for its lifetime, stale afterwards, and unknown when another made it")
    func noncesAge() {
        let nonces = DigestNonces(secret: Array(repeating: 7, count: 16), lifetime: .minutes(5))
        let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
        let nonce = nonces.issue(now: start, salt: 42)
        #expect(nonce.utf8.count == 32)
        #expect(nonces.check(nonce, now: start + .minutes(5)) == .valid)
        #expect(nonces.check(nonce, now: start + .seconds(302)) == .stale)
        let other = DigestNonces(secret: Array(repeating: 8, count: 16))
        #expect(other.check(nonce, now: start) == .unknown)
        #expect(nonces.check("", now: start) == .unknown)
        #expect(nonces.check(String(nonce.dropLast()) + "é", now: start) == .unknown)
        #expect(nonces.issue(now: start, salt: 43) != nonce)
        // A nonce from the future (a clock that was set back) is not valid.
        #expect(nonces.check(nonces.issue(now: start + .hours(1), salt: 1), now: start) == .stale)
    }
}
