import Foundation
import GatewayAPI
import Testing

extension RawHTTP {
    /// The header fields of an answer, their names in small letters.
    static func head(_ request: String, port: Int) async throws -> [String: String] {
        let lines = try await exchange(request, port: port).components(separatedBy: "\r\n")
        let fields = lines.dropFirst().compactMap { line -> (String, String)? in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            return (line[..<colon].lowercased(), value)
        }
        return Dictionary(fields) { first, _ in first }
    }
}

extension APIServerTests {
    @Test("The console is served to whoever asks, token or not", arguments: ["/", "/index.html", "/lal.html"])
    func servesTheConsole(path: String) async throws {
        let request = get(path)
        try await withServer(token: "secret") { port in
            let answer = try await RawHTTP.exchange(request, port: port)
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(answer.contains("\r\nContent-Type: text/html; charset=utf-8\r\n"))
            #expect(answer.contains("\r\nContent-Security-Policy: default-src 'none'; script-src 'self';"))
            #expect(answer.contains("\r\nX-Content-Type-Options: nosniff\r\n"))
            #expect(answer.contains("\r\nX-Frame-Options: DENY\r\n"))
            #expect(answer.contains("src=\"console.js\""))
            #expect(!answer.contains("Access-Control-Allow-Origin"))
        }
    }

    @Test("What a browser has already is not sent again; HEAD has no body") func tellsVersionsApart() async throws {
        try await withServer { port in
            let whole = try await RawHTTP.exchange(get("/player.js"), port: port)
            #expect(whole.contains("\r\nAccess-Control-Allow-Origin: *\r\n"))
            let tag = try #require(whole.firstMatch(of: /\r\nETag: ("[0-9a-f]+")\r\n/)?.1)
            let again = try await RawHTTP.exchange(get("/player.js", headers: "If-None-Match: \(tag)\r\n"), port: port)
            #expect(again.hasPrefix("HTTP/1.1 304 ") && again.hasSuffix("\r\n\r\n"))
            let other = try await RawHTTP.exchange(get("/player.js", headers: "If-None-Match: \"0\"\r\n"), port: port)
            #expect(other.hasPrefix("HTTP/1.1 200 OK\r\n"))
            let head = try await RawHTTP.exchange(get("/player.js", method: "HEAD"), port: port)
            #expect(head.hasPrefix("HTTP/1.1 200 OK\r\n") && head.hasSuffix("\r\n\r\n"))
            let post = try await RawHTTP.exchange(get("/player.js", method: "POST"), port: port)
            #expect(post.hasPrefix("HTTP/1.1 405 "))
        }
    }

    @Test("Who takes gzip gets it, under a tag of its own; the whole page is below 150 KB on the wire")
    func compresses() async throws {
        let sent = WebAsset.all.values.reduce(0) { $0 + ($1.compressed ?? $1.body).readableBytes }
        #expect(sent < 150_000, "\(sent)")
        try await withServer { port in
            let plain = try await RawHTTP.head(get("/player.js", method: "HEAD"), port: port)
            #expect(plain["content-encoding"] == nil && plain["vary"] == "Accept-Encoding")
            let ask = get("/player.js", method: "HEAD", headers: "Accept-Encoding: br;q=1, gzip;q=0.8\r\n")
            let packed = try await RawHTTP.head(ask, port: port)
            #expect(packed["content-encoding"] == "gzip")
            #expect(packed["etag"] != plain["etag"])
            let length = try #require(packed["content-length"].flatMap { Int($0) })
            #expect(length < 30_000, "\(length)")
            let tag = try #require(packed["etag"])
            let again = get("/player.js", headers: "If-None-Match: \(tag)\r\nAccept-Encoding: gzip\r\n")
            #expect(try await RawHTTP.exchange(again, port: port).hasPrefix("HTTP/1.1 304 "))
            let refused = get("/player.js", method: "HEAD", headers: "Accept-Encoding: gzip;q=0, deflate\r\n")
            #expect(try await RawHTTP.head(refused, port: port)["content-encoding"] == nil)
        }
    }

    @Test(
        "Only the embedded files are there",
        arguments: ["/nope.js", "/../Package.swift", "/%2e%2e/Package.swift", "/web/index.html", "//index.html"]
    )
    func servesNothingElse(path: String) async throws {
        let request = get(path)
        try await withServer { port in
            let answer = try await RawHTTP.exchange(request, port: port)
            #expect(answer.contains("page not found"), "\(answer)")
        }
    }

    @Test("Every file of the console is embedded as it is, and loads nothing from elsewhere")
    func embedsEveryFile() throws {
        let folder = "\(projectRoot)/Sources/CWebAssets/web"
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        #expect(Set(names) == Set(WebAsset.all.keys))
        for name in names {
            let data = try Data(contentsOf: URL(filePath: "\(folder)/\(name)"))
            let asset = try #require(WebAsset.all[name])
            #expect(Array(asset.body.readableBytesView) == Array(data), "\(name) is not what is embedded")
            let text = String(decoding: data, as: UTF8.self)
            // The name of SVG's namespace is no address that is asked.
            let foreign = text.matches(of: /https?:\/\/[a-z0-9.-]+/).map { String($0.0) }.filter {
                !$0.hasSuffix("www.w3.org")
            }
            #expect(foreign.isEmpty, "\(name) names \(foreign)")
            #expect(!text.contains("innerHTML"), "\(name)")
        }
        let page = try String(contentsOfFile: "\(folder)/index.html", encoding: .utf8)
        #expect(page.firstMatch(of: /<style|style=|\son[a-z]+=|<script(?![^>]*src=)/) == nil)
    }
}
