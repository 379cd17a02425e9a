"""The API's table of resources, its OpenAPI document and its docs page."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.routers import SimpleRouter

from apps.catalog.api import ItemViewSet, LocationViewSet, SupplierViewSet
from apps.forecasting.api import ContestViewSet, ForecastViewSet, KindViewSet, PairViewSet, ShapeViewSet
from apps.ingestion.api import ImportViewSet, SaleLineViewSet, StockCountViewSet
from apps.inventory.api import OrderViewSet, StockLevelViewSet
from apps.jobs.api import JobViewSet
from apps.optimization.api import RecommendationViewSet, ScenarioViewSet

router = SimpleRouter()
router.register("items", ItemViewSet, "item")
router.register("locations", LocationViewSet, "location")
router.register("suppliers", SupplierViewSet, "supplier")
router.register("stock-levels", StockLevelViewSet, "stock-level")
router.register("stock-counts", StockCountViewSet, "stock-count")
router.register("sale-lines", SaleLineViewSet, "sale-line")
router.register("imports", ImportViewSet, "import")
router.register("forecasts", ForecastViewSet, "forecast")
router.register("kind-forecasts", KindViewSet, "kind-forecast")
router.register("item-pairs", PairViewSet, "item-pair")
router.register("item-shapes", ShapeViewSet, "item-shape")
router.register("contests", ContestViewSet, "contest")
router.register("recommendations", RecommendationViewSet, "recommendation")
router.register("scenarios", ScenarioViewSet, "scenario")
router.register("purchase-orders", OrderViewSet, "purchase-order")
router.register("jobs", JobViewSet, "job")

app_name = "api"
urlpatterns = [
    path("v1/", include(router.urls)),
    path("schema/", SpectacularAPIView.as_view(authentication_classes=[], permission_classes=[]), name="schema"),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="api:schema", authentication_classes=[],
                                                     permission_classes=[]), name="docs"),
]
