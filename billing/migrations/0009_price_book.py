import common.ids
import django.contrib.postgres.fields
import django.contrib.postgres.fields.ranges
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0008_arrears_laws'),
        ('tenants', '0004_an_owner_stays'),
    ]

    operations = [
        migrations.CreateModel(
            name='Contract',
            fields=[
                ('id', models.UUIDField(default=common.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('number', models.CharField(max_length=40, unique=True)),
                ('title', models.CharField(max_length=150)),
                ('state', models.CharField(choices=[('draft', 'Draft'), ('active', 'Active'), ('ended', 'Ended')], default='draft', max_length=20)),
                ('currency', models.CharField(default='CNY', max_length=3)),
                ('starts_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField()),
                ('drafted_by', models.CharField(max_length=200)),
                ('drafted_at', models.DateTimeField()),
                ('activated_by', models.CharField(blank=True, max_length=200)),
                ('activated_at', models.DateTimeField(null=True)),
                ('ended_by', models.CharField(blank=True, max_length=200)),
                ('ended_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='ContractTerm',
            fields=[
                ('id', models.UUIDField(default=common.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('discount', 'Discount'), ('price', 'Fixed price'), ('minimum', 'Minimum spend'), ('commitment', 'Committed spend')], max_length=20)),
                ('meter', models.CharField(blank=True, max_length=60)),
                ('sku', models.CharField(blank=True, max_length=80)),
                ('match', models.JSONField(default=dict)),
                ('discount_percent', models.DecimalField(decimal_places=4, max_digits=7, null=True)),
                ('model', models.CharField(blank=True, max_length=20)),
                ('unit_price', models.DecimalField(decimal_places=15, max_digits=30, null=True)),
                ('unit_quantity', models.BigIntegerField(null=True)),
                ('tiers', models.JSONField(default=list)),
                ('amount', models.DecimalField(decimal_places=2, max_digits=18, null=True)),
                ('interval', models.CharField(blank=True, choices=[('month', 'Each month'), ('term', 'The whole period')], max_length=10)),
                ('tax_code', models.CharField(blank=True, max_length=40)),
                ('starts_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField()),
                ('in_force', django.contrib.postgres.fields.ranges.DateTimeRangeField(editable=False, null=True)),
            ],
        ),
        migrations.CreateModel(
            name='SpotPrice',
            fields=[
                ('id', models.UUIDField(default=common.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('sku', models.CharField(max_length=80)),
                ('starts_at', models.DateTimeField()),
                ('unit_price', models.DecimalField(decimal_places=15, max_digits=30)),
                ('quoted_at', models.DateTimeField()),
                ('quoted_by', models.CharField(blank=True, max_length=200)),
            ],
        ),
        migrations.CreateModel(
            name='TaxChange',
            fields=[
                ('id', models.UUIDField(default=common.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('state', models.CharField(choices=[('proposed', 'Proposed'), ('approved', 'Approved'), ('rejected', 'Rejected')], default='proposed', max_length=20)),
                ('tax_code', models.CharField(max_length=40)),
                ('rate', models.DecimalField(decimal_places=5, max_digits=6)),
                ('starts_at', models.DateTimeField()),
                ('title_en', models.CharField(max_length=100)),
                ('title_zh', models.CharField(max_length=100)),
                ('reason', models.CharField(max_length=500)),
                ('proposed_by_id', models.UUIDField()),
                ('proposed_by', models.CharField(max_length=200)),
                ('proposed_at', models.DateTimeField()),
                ('decided_by_id', models.UUIDField(null=True)),
                ('decided_by', models.CharField(blank=True, max_length=200)),
                ('decided_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name='priceversion',
            name='billing_priceversion_state_known',
        ),
        migrations.AddField(
            model_name='price',
            name='tiers',
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name='priceversion',
            name='authors',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), blank=True, default=list, size=None),
        ),
        migrations.AddField(
            model_name='priceversion',
            name='drafted_by',
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name='priceversion',
            name='note',
            field=models.CharField(blank=True, max_length=500),
        ),
        migrations.AddField(
            model_name='priceversion',
            name='published_by_id',
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name='priceversion',
            name='submitted_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='priceversion',
            name='submitted_by',
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AlterField(
            model_name='priceversion',
            name='state',
            field=models.CharField(choices=[('draft', 'Draft'), ('submitted', 'Submitted'), ('published', 'Published')], default='draft', max_length=20),
        ),
        migrations.AddConstraint(
            model_name='priceversion',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['draft', 'submitted', 'published'])), name='billing_priceversion_state_known'),
        ),
        migrations.AddField(
            model_name='contract',
            name='tenant',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.organisation'),
        ),
        migrations.AddField(
            model_name='contractterm',
            name='contract',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='terms', to='billing.contract'),
        ),
        migrations.AddField(
            model_name='contractterm',
            name='tenant',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.organisation'),
        ),
        migrations.AddConstraint(
            model_name='spotprice',
            constraint=models.UniqueConstraint(fields=('sku', 'starts_at'), name='billing_spotprice_key'),
        ),
        migrations.AddConstraint(
            model_name='spotprice',
            constraint=models.CheckConstraint(condition=models.Q(('unit_price__gte', 0), ('starts_at__gte', models.F('quoted_at'))), name='billing_spotprice_ahead'),
        ),
        migrations.AddConstraint(
            model_name='taxchange',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['proposed', 'approved', 'rejected']), models.Q(('state', 'proposed'), ('decided_at__isnull', False), _connector='OR')), name='billing_taxchange_state_known'),
        ),
        migrations.AddConstraint(
            model_name='taxchange',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'approved'), _negated=True), models.Q(('decided_by_id__isnull', False), models.Q(('decided_by_id', models.F('proposed_by_id')), _negated=True)), _connector='OR'), name='billing_taxchange_four_eyes'),
        ),
        migrations.AddConstraint(
            model_name='taxchange',
            constraint=models.CheckConstraint(condition=models.Q(('rate__gte', 0), ('rate__lt', 1)), name='billing_taxchange_sane'),
        ),
        migrations.AddField(
            model_name='taxrate',
            name='change',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.taxchange'),
        ),
        migrations.AddIndex(
            model_name='contract',
            index=models.Index(fields=['tenant', 'state'], name='billing_contract_of_tenant'),
        ),
        migrations.AddConstraint(
            model_name='contract',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['draft', 'active', 'ended'])), name='billing_contract_state_known'),
        ),
        migrations.AddConstraint(
            model_name='contract',
            constraint=models.CheckConstraint(condition=models.Q(('ends_at__gte', models.F('starts_at'))), name='billing_contract_period'),
        ),
        migrations.AddConstraint(
            model_name='contract',
            constraint=models.CheckConstraint(condition=models.Q(('currency', 'CNY')), name='billing_contract_currency'),
        ),
        migrations.AddConstraint(
            model_name='contractterm',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('amount__isnull', True), ('discount_percent__gt', 0), ('discount_percent__lte', 100), ('kind', 'discount'), ('unit_price__isnull', True)), models.Q(('amount__isnull', True), ('discount_percent__isnull', True), ('kind', 'price'), ('unit_price__gte', 0), ('unit_quantity__gt', 0)), models.Q(('amount__gt', 0), ('discount_percent__isnull', True), ('interval__in', ['month', 'term']), ('kind__in', ['minimum', 'commitment']), ('match', {}), ('meter', ''), ('sku', ''), ('tax_code__gt', ''), ('unit_price__isnull', True)), _connector='OR'), name='billing_contractterm_kind_whole'),
        ),
        migrations.AddConstraint(
            model_name='contractterm',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind', 'minimum'), _negated=True), ('interval', 'month'), _connector='OR'), name='billing_contractterm_minimum_monthly'),
        ),
        migrations.AddConstraint(
            model_name='contractterm',
            constraint=models.CheckConstraint(condition=models.Q(('ends_at__gt', models.F('starts_at'))), name='billing_contractterm_period'),
        ),
    ]
