internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// Serves the web console. It holds no secret, so it needs no token; what it shows it asks the API.
enum WebResponder {
    /// Nil for what is not the console's.
    static func respond(to request: Request) -> Response? {
        guard let asset = WebAsset.find(request.uri.path) else {
            // Browsers ask for it whatever the page says.
            return request.uri.path == "/favicon.ico" ? Response(status: .noContent) : nil
        }
        guard request.method == .get || request.method == .head else {
            return Response(status: .methodNotAllowed, headers: [.allow: "GET, HEAD"])
        }
        var headers = headers(of: asset)
        let accepted = request.headers[.acceptEncoding].map { Gzip.isAccepted($0) } ?? false
        let compressed = accepted ? asset.compressed : nil
        if compressed != nil { headers[.eTag] = asset.compressedTag }
        if let known = request.headers[.ifNoneMatch], asset.matches(known) {
            return Response(status: .notModified, headers: headers)
        }
        headers[.contentType] = asset.contentType
        if compressed != nil { headers[.contentEncoding] = "gzip" }
        let bytes = compressed ?? asset.body
        headers[.contentLength] = "\(bytes.readableBytes)"
        let body = request.method == .head ? ResponseBody() : ResponseBody(byteBuffer: bytes)
        return Response(status: .ok, headers: headers, body: body)
    }

    private static func headers(of asset: WebAsset) -> HTTPFields {
        var headers: HTTPFields = [
            .eTag: asset.tag, .cacheControl: "no-cache", .contentSecurityPolicy: policy,
            .xContentTypeOptions: "nosniff", .vary: "Accept-Encoding",
        ]
        var others = [("Referrer-Policy", "no-referrer"), ("X-Frame-Options", "DENY")]
        if asset.isShared {
            headers[.accessControlAllowOrigin] = "*"
            others.append(("Cross-Origin-Resource-Policy", "cross-origin"))
        }
        for (name, value) in others {
            if let field = HTTPField.Name(name) { headers[field] = value }
        }
        return headers
    }

    /// Nothing inline and nothing of others; streams come from the media ports, which are other origins.
    static let policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        + "media-src 'self' blob: http: https:; connect-src 'self' http: https: ws: wss:; "
        + "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
}
